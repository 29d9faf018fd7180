"""A run that has no room on a worker is refused before anything starts; a scored checkpoint's card has its scores."""

from pathlib import Path

import pytest

from runs import estimates, ingest, lifecycle, ready
from runs.models import Run, Status
from workers import tasks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_programs")]


def test_a_stage_that_has_no_room_fails_before_it_starts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "memory_bytes", lambda: 2**28)
    tasks.train_stage(run.stages.get(name="warm").pk)
    stage = run.stages.get(name="warm")
    assert (stage.status, stage.failure_code) == (Status.FAILED, "too_large")
    assert stage.failure_reason.startswith(
        "stage 'warm' needs at least 0.4 GiB of memory, mostly torch itself, and this"
    )
    assert not ingest.stage_folder(stage).log.exists()


def test_a_later_stage_counts_and_an_earlier_one_does_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.document["stages"][1]["max_response_tokens"] = 1
    run.document["model"] |= {"hidden_size": 1024, "mlp_size": 4096, "max_positions": 4096}
    run.document["stages"][2]["max_response_tokens"] = 4000
    run.save()
    sizes = [
        stage.memory.low
        for stage in estimates.estimate(run.recipe.spec.model_validate(run.document), run.project).stages
    ]
    assert sizes[2] > max(sizes[:2])
    monkeypatch.setattr(estimates, "memory_bytes", lambda: max(sizes[:2]))
    tasks.train_stage(run.stages.get(name="warm").pk)
    assert run.stages.get(name="warm").failure_reason.startswith("stage 'mopd' needs at least")
    monkeypatch.setattr(estimates, "memory_bytes", lambda: sizes[2])
    lifecycle.retry_stage(run.stages.get(name="warm"))
    tasks.train_stage(run.stages.get(name="warm").pk)
    assert run.stages.get(name="warm").status == Status.SUCCEEDED


def test_with_a_gpu_only_the_trainer_can_tell(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "memory_bytes", lambda: 0)
    monkeypatch.setattr(estimates, "has_gpu", lambda: True)
    tasks.train_stage(run.stages.get(name="warm").pk)
    assert run.stages.get(name="warm").status == Status.SUCCEEDED


def test_more_processes_than_gpus_fail_before_anything_starts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.document["stages"][2]["processes"] = 4
    run.save()
    monkeypatch.setattr(estimates, "has_gpu", lambda: True)
    monkeypatch.setattr(estimates, "count_gpus", lambda: 2)
    tasks.train_stage(run.stages.get(name="warm").pk)
    stage = run.stages.get(name="warm")
    assert (stage.status, stage.failure_code) == (Status.FAILED, "too_large")
    assert stage.failure_reason.startswith("stage 'mopd' has 4 processes, one GPU each, and this machine has 2; lower")
    assert not ingest.stage_folder(stage).log.exists()


def test_scoring_puts_the_scores_into_the_card(run: Run) -> None:
    tasks.train_stage(run.stages.get(name="warm").pk)
    for checkpoint in ready.checkpoints().filter(run=run):
        tasks.score_checkpoint(checkpoint.pk)
    checkpoint = run.checkpoints.get(stage__name="warm")
    mean = checkpoint.scores.get(benchmark__domain="stem", benchmark__split="test").mean
    card = (ingest.checkpoint_folder(checkpoint) / "README.md").read_text()
    assert f"| STEM | {100 * mean:.1f} | avg@1 | 16 |" in card
    assert "Recipe: small v1, seed 0" in card
    base = run.checkpoints.get(stage=None)
    assert not (ingest.checkpoint_folder(base) / "README.md").exists()


def test_a_card_that_cannot_be_written_costs_no_score(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    tasks.train_stage(run.stages.get(name="warm").pk)
    monkeypatch.setattr(ingest, "write_text", full)
    for checkpoint in ready.checkpoints().filter(run=run):
        tasks.score_checkpoint(checkpoint.pk)
    assert run.checkpoints.get(stage__name="warm").is_scored

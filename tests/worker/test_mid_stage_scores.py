"""Checkpoints of a stage's middle are scored while it goes on, keep nothing waiting, and are no rows of the matrix."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from runs import ingest, lifecycle, ready, reviews
from runs.drift import matrix_text
from runs.lifecycle import NotPossibleError
from runs.matrices import mid_stage_cells, score_matrix
from runs.models import Checkpoint, Run, Status
from runs.report import drift_report
from tests.web.some_runs import DOMAINS, a_project, a_recipe, a_run, begin, finish
from workers import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    """The cascade of the tests, with if_rl scored at steps 2 and 4 of 6, and a gate that may hold after it."""
    recipe = a_recipe().model_dump(mode="json")
    recipe["stages"][1] |= {"checkpoint_every": 2, "score_every": 2}
    gate = {"after": "if_rl", "domain": "stem", "drop": 99.0, "then": "hold"}
    return a_run(a_project(), spec=a_recipe(stages=recipe["stages"], gates=[gate]))


def _middle(run: Run) -> list[Checkpoint]:
    return list(run.checkpoints.filter(is_mid_stage=True))


def _ready(run: Run) -> list[str]:
    return [str(checkpoint) for checkpoint in ready.checkpoints().filter(run=run)]


def _add_middle(run: Run, *steps: int) -> None:
    stage = run.stages.get(name="if_rl")
    for step in steps:
        lifecycle.add_mid_stage_checkpoint(stage, at_step=step, folder=f"if_rl/checkpoints/step_{step:06d}")


def test_they_wait_for_whatever_else_of_the_run_waits_for_a_worker(run: Run) -> None:
    finish(run, "warm")
    claimed = begin(run, "if_rl")
    _add_middle(run, 2, 2)
    assert _ready(run) == ["if_rl at step 2"]  # nothing else to do: a second worker may
    assert lifecycle.finish_stage(claimed, folder="if_rl/checkpoints/step_000006")
    assert _ready(run) == ["if_rl at step 6"]  # the stage's end goes first: the next stage waits for its gate
    Checkpoint.objects.filter(run=run, at_step=6).update(status=Status.SUCCEEDED, gates_checked_at="2026-01-01T00:00Z")
    assert ready.stages().filter(run=run).exists() or ready.checkpoints().filter(run=run).exists()
    run.stages.filter(name="mopd").update(document={})
    run.stages.get(name="mopd").needs.update(with_scores=False)
    assert ready.stages().get(run=run).name == "mopd"
    assert _ready(run) == []
    assert lifecycle.claim_checkpoint(_middle(run)[0].pk, worker="host:2") is None
    begin(run, "mopd")
    assert _ready(run) == ["if_rl at step 2"]


def test_a_stage_that_is_paused_or_cancelled_leaves_them_so(run: Run) -> None:
    finish(run, "warm")
    begin(run, "if_rl")
    _add_middle(run, 2)
    lifecycle.pause(run)
    _add_middle(run, 4)
    assert [checkpoint.status for checkpoint in _middle(run)] == [Status.PAUSED] * 2
    lifecycle.resume(run)
    assert {checkpoint.status for checkpoint in _middle(run)} == {Status.QUEUED}


def test_one_that_cannot_be_read_is_given_up_by_a_retry(run: Run) -> None:
    finish(run, "warm")
    begin(run, "if_rl")
    _add_middle(run, 2)
    claimed = lifecycle.claim_checkpoint(_middle(run)[0].pk, worker="host:2")
    assert claimed is not None
    lifecycle.fail(claimed, code="corrupt_checkpoint", reason="its checksum is another")
    lifecycle.cancel(run)
    lifecycle.retry(run)
    assert _middle(run) == []
    assert run.stages.get(name="warm").status == Status.SUCCEEDED


def test_nobody_proposes_one(run: Run) -> None:
    finish(run, "warm")
    begin(run, "if_rl")
    _add_middle(run, 2)
    with pytest.raises(NotPossibleError, match="propose the end of the stage"):
        reviews.propose(_middle(run)[0], note="", by=run.created_by)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_programs")
def test_they_are_scored_beside_the_stage_and_shown_as_points_only(
    run: Run, background: Callable[[Callable[[], None]], threading.Thread], monkeypatch: Any
) -> None:
    def train(name: str) -> None:
        tasks.train_stage(run.stages.get(name=name).pk)

    def score() -> None:
        for checkpoint in ready.checkpoints().filter(run=run):
            tasks.score_checkpoint(checkpoint.pk)

    train("warm")
    score()
    monkeypatch.setenv("FAKE_STEP_S", "1.0")
    training = background(lambda: train("if_rl"))
    while training.is_alive() and not _middle(run):
        training.join(timeout=0.05)
    score()
    assert run.checkpoints.filter(is_mid_stage=True, status=Status.SUCCEEDED).exists()
    training.join(timeout=60)
    monkeypatch.setenv("FAKE_STEP_S", "0")
    assert not ready.stages().filter(run=run).exists()  # the gate waits for the scores of the end
    score()
    train("mopd")
    while _ready(run):
        score()
    assert Run.objects.get(pk=run.pk).status == Status.SUCCEEDED
    assert [checkpoint.at_step for checkpoint in _middle(run)] == [2, 4]
    assert len(score_matrix(run).rows) == 4
    report = drift_report(run)
    assert sorted(mid_stage_cells(run)["if_rl", "stem"]) == [2, 4]
    assert set(report.stability_gaps) == set(DOMAINS)
    assert report.stability_gaps["stem"].row == "if_rl"
    assert matrix_text(report.matrix).count("if_rl") >= 1
    card = (ingest.checkpoint_folder(_middle(run)[0]) / "README.md").read_text()
    assert "for 2 of 6 steps" in card

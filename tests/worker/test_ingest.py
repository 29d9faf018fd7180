"""From a stage's folder to rows: whole lines, each once."""

from typing import Any

import pytest

from runs.ingest import MAX_PART, MAX_PARTS, StepReader, ingest_scores, scoring_folder, stage_folder
from runs.models import Benchmark, Checkpoint, ItemResult, Metric, Run, Score, Stage
from tests.web.some_runs import a_project, a_run, finish
from workers.stage_dir import ItemRecord, ScoreRecord, StepRecord, append_record, drop_records_after

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return a_run(a_project())


@pytest.fixture
def stage(run: Run) -> Stage:
    return run.stages.get(name="warm")


def _write(stage: Stage, step: int, loss: float) -> None:
    append_record(stage_folder(stage).steps, StepRecord(step=step, at=0.0, metrics={"loss": loss}))


def _losses(stage: Stage) -> dict[int, float]:
    return dict(Metric.objects.filter(stage=stage, name="loss").values_list("step", "value"))


def test_new_lines_become_rows_and_the_last_is_returned(stage: Stage) -> None:
    reader = StepReader(stage)
    assert reader.ingest() is None
    _write(stage, 1, 2.0)
    _write(stage, 2, 1.5)
    assert reader.ingest() == {"loss": 1.5}
    assert reader.ingest() is None
    _write(stage, 3, 1.25)
    assert reader.ingest() == {"loss": 1.25}
    assert _losses(stage) == {1: 2.0, 2: 1.5, 3: 1.25}


def test_reading_everything_again_changes_nothing(stage: Stage) -> None:
    for step in (1, 2, 3):
        _write(stage, step, 1.0 / step)
    StepReader(stage).ingest()
    before = list(Metric.objects.order_by("pk").values())
    StepReader(stage).ingest()
    assert list(Metric.objects.order_by("pk").values()) == before


def test_half_a_line_waits_for_its_other_half(stage: Stage) -> None:
    reader, path = StepReader(stage), stage_folder(stage).steps
    _write(stage, 1, 2.0)
    line = StepRecord(step=2, at=0.0, metrics={"loss": 1.5}).model_dump_json()
    with open(path, "a") as steps:
        steps.write(line[:20])
    reader.ingest()
    assert _losses(stage) == {1: 2.0}
    with open(path, "a") as steps:
        steps.write(line[20:] + "\n")
    reader.ingest()
    assert _losses(stage) == {1: 2.0, 2: 1.5}


def test_steps_that_a_resumed_trainer_does_again_replace_the_old_ones(stage: Stage) -> None:
    reader = StepReader(stage)
    for step in (1, 2, 3):
        _write(stage, step, 2.0)
    reader.ingest()
    drop_records_after(stage_folder(stage).steps, 1)  # what a resumed trainer does first
    _write(stage, 2, 1.5)
    reader.ingest()
    assert _losses(stage) == {1: 2.0, 2: 1.5, 3: 2.0}
    _write(stage, 3, 1.25)
    reader.ingest()
    assert _losses(stage) == {1: 2.0, 2: 1.5, 3: 1.25}


def _score(base: Checkpoint, *values: float, response: str = "1", **said: Any) -> None:
    items = [
        ItemRecord(item=number, key=f"k{number}", prompt="?", value=value, response=response, n_tokens=2, **said)
        for number, value in enumerate(values)
    ]
    folder = scoring_folder(base)
    folder.scores.unlink(missing_ok=True)
    record = {"domain": "stem", "split": "test", "version": 1, "protocol": {"k": 1}, "mean": sum(values) / len(values)}
    append_record(folder.scores, ScoreRecord.model_validate({**record, "items": items}))


def test_scores_keep_every_item_and_are_read_again_without_twins(run: Run) -> None:
    base = Checkpoint.objects.create(run=run, stage=None, at_step=0, folder="warm/checkpoints/step_000000")
    _score(base, 1.0, 0.0, 0.5)
    for _ in range(2):
        ingest_scores(base)
    score = Score.objects.get(checkpoint=base)
    assert (score.mean, score.n_items, score.response_tokens) == (0.5, 3, 2.0)
    assert list(ItemResult.objects.filter(score=score).values_list("item", "value")) == [(0, 1.0), (1, 0.0), (2, 0.5)]


def test_two_checkpoints_on_the_same_problems_share_a_benchmark(run: Run) -> None:
    finish(run, "warm", "if_rl")
    assert Benchmark.objects.count() == 4  # two domains, validation and test
    assert Score.objects.filter(checkpoint__run=run).count() == 12


def test_what_a_model_writes_can_be_stored_whatever_it_is(run: Run) -> None:
    base = Checkpoint.objects.create(run=run, stage=None, at_step=0, folder="warm/checkpoints/step_000000")
    _score(base, 1.0, response="null \x00, emoji 🦦, quote '\"")
    ingest_scores(base)
    assert ItemResult.objects.get(score__checkpoint=base).response == "null ␀, emoji 🦦, quote '\""


def test_what_a_grader_said_is_kept_within_bounds(run: Run) -> None:
    base = Checkpoint.objects.create(run=run, stage=None, at_step=0, folder="warm/checkpoints/step_000000")
    said: dict[str, float | str] = {"reason": "x\0" * MAX_PART, "gone": float("nan"), "n" * 500: 1.0}
    _score(base, 0.0, parts=said | {f"part{n}": 0.0 for n in range(100)}, n_truncated=1)
    ingest_scores(base)
    kept = ItemResult.objects.get(score__checkpoint=base)
    assert kept.n_truncated == 1
    assert len(kept.parts) == MAX_PARTS
    assert kept.parts["reason"] == ("x␀" * MAX_PART)[:MAX_PART]
    assert kept.parts["n" * MAX_PART] == 1.0
    assert "gone" not in kept.parts

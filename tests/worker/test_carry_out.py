"""A cascade from start to end through the Celery tasks, with processes that write what a trainer writes."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runs import ingest, lifecycle, ready, resolve
from runs.models import Checkpoint, Metric, Run, Stage, Status
from tests.web.some_runs import a_run
from tests.worker.fake_trainer import read_weights
from workers import launch, tasks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_programs")]
FAKE = "tests.worker.fake_trainer"


def _stage(run: Run, name: str) -> Stage:
    return run.stages.get(name=name)


def _train(run: Run, name: str) -> None:
    tasks.train_stage(_stage(run, name).pk)


def _score_all(run: Run) -> None:
    for checkpoint in ready.checkpoints().filter(run=run):
        tasks.score_checkpoint(checkpoint.pk)


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen within 15 s"
        time.sleep(0.02)


def _child(run: Run, name: str) -> int:
    """The process that holds a stage's folder."""
    folder = str(ingest.stage_folder(_stage(run, name)).path)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if FAKE.encode() in words and folder.encode() in words:
            return int(path.parent.name)
    return 0


def _final_weights(run: Run, name: str) -> str:
    return read_weights(ingest.stage_folder(_stage(run, name)).checkpoint(6))


def test_a_cascade_goes_from_stage_to_stage_until_all_is_scored(run: Run) -> None:
    for name in ("warm", "if_rl"):
        _train(run, name)
        assert _stage(run, name).status == Status.SUCCEEDED, _stage(run, name).failure_reason
    assert not ready.stages().filter(run=run).exists()  # mopd chooses teachers by scores
    _score_all(run)
    _train(run, "mopd")
    _score_all(run)
    assert run.status == Status.SUCCEEDED
    assert [checkpoint.at_step for checkpoint in run.checkpoints.all()] == [0, 6, 6, 6]
    assert set(_stage(run, "mopd").resolved["teachers"]) == {"instructions", "stem"}
    assert Metric.objects.filter(stage__run=run, name="loss").count() == 18


def test_teachers_are_chosen_as_soon_as_all_is_validated(run: Run, background, monkeypatch) -> None:
    for name in ("warm", "if_rl"):
        _train(run, name)
    base, warm, if_rl = run.checkpoints.all()
    for checkpoint in (base, warm):
        tasks.score_checkpoint(checkpoint.pk)
    monkeypatch.setenv("FAKE_SCORE_S", "0.4")
    background(lambda: tasks.score_checkpoint(if_rl.pk))
    _wait_for(lambda: ready.stages().filter(run=run).exists())
    assert Checkpoint.objects.get(pk=if_rl.pk).status == Status.RUNNING  # its test problems are not scored yet
    assert set(if_rl.scores.values_list("benchmark__split", flat=True)) == {"validation"}
    chosen_early = resolve._teachers(_stage(run, "mopd"))
    _wait_for(lambda: Checkpoint.objects.get(pk=if_rl.pk).status == Status.SUCCEEDED)
    assert if_rl.scores.filter(benchmark__split="test").exists()
    assert resolve._teachers(_stage(run, "mopd")) == chosen_early


def test_a_killed_trainer_goes_on_from_its_checkpoint_and_ends_the_same(run: Run, background, monkeypatch) -> None:
    undisturbed = a_run(run.project)
    for name in ("warm", "if_rl"):
        _train(undisturbed, name)
    _train(run, "warm")
    monkeypatch.setenv("FAKE_STEP_S", "0.2")
    background(lambda: _train(run, "if_rl"))
    _wait_for(lambda: _stage(run, "if_rl").step >= 3)
    os.kill(_child(run, "if_rl"), signal.SIGKILL)
    _wait_for(lambda: _stage(run, "if_rl").status == Status.QUEUED)
    assert _stage(run, "if_rl").kills == 1
    _train(run, "if_rl")
    assert "from step 2 to 6" in ingest.stage_folder(_stage(run, "if_rl")).log.read_text()
    assert _final_weights(run, "if_rl") == _final_weights(undisturbed, "if_rl")
    assert [attempt.ending for attempt in _stage(run, "if_rl").attempts.all()] == ["killed", "succeeded"]


def test_pause_writes_a_checkpoint_and_resume_goes_on_from_it(run: Run, background, monkeypatch) -> None:
    _train(run, "warm")
    monkeypatch.setenv("FAKE_STEP_S", "0.2")
    background(lambda: _train(run, "if_rl"))
    _wait_for(lambda: _stage(run, "if_rl").step >= 3)
    lifecycle.pause(run)
    _wait_for(lambda: not _child(run, "if_rl"))
    stopped_at = max(path.name for path in ingest.stage_folder(_stage(run, "if_rl")).resume.iterdir())
    assert stopped_at in ("step_000004", "step_000005")  # what was under way is finished first
    assert _stage(run, "if_rl").status == Status.PAUSED
    lifecycle.resume(run)
    _train(run, "if_rl")
    assert _stage(run, "if_rl").status == Status.SUCCEEDED


def test_cancel_ends_the_process_and_stays(run: Run, background, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_STEP_S", "0.2")
    background(lambda: _train(run, "warm"))
    _wait_for(lambda: _stage(run, "warm").step >= 1)
    lifecycle.cancel(run)
    _wait_for(lambda: not _child(run, "warm"))
    assert _stage(run, "warm").status == Status.CANCELLED
    assert lifecycle.claim_stage(_stage(run, "warm").pk, worker="host:1") is None


def test_a_worker_whose_claim_was_taken_stops_its_trainer_and_writes_nothing(run: Run, background, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_STEP_S", "0.2")
    background(lambda: _train(run, "warm"))
    _wait_for(lambda: _stage(run, "warm").step >= 1)
    Stage.objects.filter(pk=_stage(run, "warm").pk).update(attempt=2, worker="other:9")  # as a second claim does
    _wait_for(lambda: not _child(run, "warm"))
    time.sleep(0.2)
    stage = _stage(run, "warm")
    assert (stage.status, stage.attempt, stage.worker) == (Status.RUNNING, 2, "other:9")
    assert not run.checkpoints.filter(stage=stage).exists()


def test_a_trainers_own_failure_is_the_stages_reason_and_retry_works(run: Run, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_FAULT", "3:out_of_memory")
    _train(run, "warm")
    stage = _stage(run, "warm")
    assert (stage.status, stage.failure_code) == (Status.FAILED, "out_of_memory")
    assert stage.failure_reason == "the trainer met out_of_memory after step 3"
    monkeypatch.delenv("FAKE_FAULT")
    lifecycle.retry_stage(stage)
    _train(run, "warm")
    assert _stage(run, "warm").status == Status.SUCCEEDED
    assert _stage(run, "warm").failure_reason == ""


def test_a_trainer_that_is_killed_three_times_fails(run: Run, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_FAULT", "1:kill")
    for kills, status in ((1, Status.QUEUED), (2, Status.QUEUED), (2, Status.FAILED)):
        _train(run, "warm")
        assert (_stage(run, "warm").kills, _stage(run, "warm").status) == (kills, status)
    assert _stage(run, "warm").failure_code == "killed"
    assert "memory ran out" in _stage(run, "warm").failure_reason


def test_a_program_that_says_nothing_fails_with_its_exit_status(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(launch, "TRAIN", "tests.worker.no_such_program")
    _train(run, "warm")
    assert _stage(run, "warm").failure_reason.startswith("the process ended without a word (exit status 1)")


def test_a_folder_that_cannot_be_written_fails_in_words(run: Run, settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.ARTIFACTS_DIR = tmp_path / "file"
    _train(run, "warm")
    assert _stage(run, "warm").failure_code == "cannot_start"
    assert "Not a directory" in _stage(run, "warm").failure_reason


def test_a_task_sent_twice_works_once(run: Run) -> None:
    _train(run, "warm")
    _train(run, "warm")
    assert _stage(run, "warm").attempt == 1

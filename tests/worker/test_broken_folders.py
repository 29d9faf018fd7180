"""A stage's folder as a broken disk or a broken trainer leaves it: the stage goes on, or fails with a reason; never both, never neither."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import IntegrityError

from runs import ingest, lifecycle, ready
from runs.models import Checkpoint, Metric, Run, Stage, Status
from tests.web.some_runs import a_project, a_recipe, a_run
from workers import launch, tasks
from workers.stage_dir import StageDir

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_programs")]
FAKE = "tests.worker.fake_trainer"


def _stage(run: Run, name: str = "warm") -> Stage:
    return run.stages.get(name=name)


def _folder(run: Run, name: str = "warm") -> StageDir:
    return ingest.stage_folder(_stage(run, name))


def _train(run: Run, name: str = "warm") -> None:
    tasks.train_stage(_stage(run, name).pk)


def _base(run: Run) -> Checkpoint:
    return run.checkpoints.get(stage=None)


def _is_training(run: Run) -> bool:
    folder = str(_folder(run).path)
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text().split("\0"))
        except OSError:
            continue
    return any(folder in words and FAKE in words for words in lines)


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen within 15 s"
        time.sleep(0.02)


GARBAGE = {
    "half a line": b'{"step": 2, "at": 0.0, "met{"step": 3}\n',
    "no UTF-8": b"\xff\xfe\n",
    "nothing but zeros, as after a power cut": b"\x00" * 512 + b"\n",
    "another document": b'{"hello": "world"}\n',
    "a step that no row holds": b'{"step": -1, "at": 0.0, "metrics": {"loss": 1.0}}\n',
    "a name that no row holds": json.dumps({"step": 2, "at": 0.0, "metrics": {"n" * 81: 1.0, "a\0b": 2.0}}).encode()
    + b"\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_lines_of_steps_that_are_none_are_passed_over(run: Run, garbage: bytes) -> None:
    steps = _folder(run).steps
    steps.parent.mkdir(parents=True)
    steps.write_bytes(garbage)
    reader = ingest.StepReader(_stage(run))
    reader.ingest()
    with open(steps, "a") as file:
        file.write('{"step": 5, "at": 0.0, "metrics": {"loss": 0.5}}\n')
    assert reader.ingest() == {"loss": 0.5}
    assert list(Metric.objects.values_list("step", "name", "value")) == [(5, "loss", 0.5)]


def test_numbers_that_are_none_leave_gaps(run: Run) -> None:
    line = '{"step": 1, "at": 0.0, "metrics": {"reward": NaN, "entropy": Infinity, "loss": 0.5}}\n'
    _folder(run).path.mkdir(parents=True)
    _folder(run).steps.write_text(line)
    assert ingest.StepReader(_stage(run)).ingest() == {"loss": 0.5}
    assert list(Metric.objects.values_list("name", flat=True)) == ["loss"]


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b"[]", b'{"substep": "a\\u0000b", "step": 1, "steps": 6, "at": 0, "eta_s": Infinity}']
)
def test_progress_that_cannot_be_read_stops_nothing(run: Run, content: bytes) -> None:
    folder = _folder(run)
    folder.path.mkdir(parents=True)
    folder.progress.write_bytes(content)
    facts = tasks._live_facts(folder)
    assert lifecycle.beat(lifecycle.claim_stage(_stage(run).pk, worker="host:1"), **facts)
    assert _stage(run).eta_s is None


@pytest.mark.parametrize("content", [b"{", b"\xff", b"", b'{"status": "done", "surprise": 1}'])
def test_an_outcome_of_before_that_cannot_be_read_does_not_stop_a_retry(run: Run, content: bytes) -> None:
    _folder(run).path.mkdir(parents=True)
    _folder(run).outcome.write_bytes(content)
    _train(run)
    assert _stage(run).status == Status.SUCCEEDED, _stage(run).failure_reason


def test_an_outcome_that_cannot_be_read_is_a_failure_with_a_reason(run: Run, monkeypatch) -> None:
    started = launch.start

    def tear(folder: StageDir, module: str) -> subprocess.Popen[bytes]:
        process = started(folder, module)
        process.wait()
        folder.outcome.write_bytes(folder.outcome.read_bytes()[:10])
        return process

    with monkeypatch.context() as patch:
        patch.setattr(launch, "start", tear)
        _train(run)
    assert (_stage(run).status, _stage(run).failure_code) == (Status.FAILED, "cannot_record")
    assert "Outcome" in _stage(run).failure_reason
    lifecycle.retry_stage(_stage(run))
    _train(run)
    assert _stage(run).status == Status.SUCCEEDED


def test_a_spec_torn_under_the_trainer_fails_and_a_retry_writes_it_anew(run: Run, monkeypatch) -> None:
    started = launch.start

    def tear(folder: StageDir, module: str) -> subprocess.Popen[bytes]:
        folder.spec.write_bytes(folder.spec.read_bytes()[:40])
        return started(folder, module)

    monkeypatch.setattr(launch, "start", tear)
    _train(run)
    assert _stage(run).status == Status.FAILED
    monkeypatch.setattr(launch, "start", started)
    lifecycle.retry_stage(_stage(run))
    _train(run)
    assert _stage(run).status == Status.SUCCEEDED


@pytest.mark.parametrize("error", [IntegrityError("twins"), ValueError("odd"), KeyError("stem"), RuntimeError("what")])
def test_whatever_breaks_while_following_fails_the_stage_and_stops_its_trainer(
    run: Run, monkeypatch, error: Exception
) -> None:
    monkeypatch.setenv("FAKE_STEP_S", "0.2")
    stages: list[int] = []

    def broken(self: ingest.StepReader) -> None:
        stages.append(self.stage.pk)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(ingest.StepReader, "ingest", broken)
        _train(run)
    assert stages
    assert (_stage(run).status, _stage(run).failure_code) == (Status.FAILED, "cannot_record")
    assert type(error).__name__ in _stage(run).failure_reason
    assert _stage(run).attempts.get().ending == "failed"
    assert not _is_training(run)
    monkeypatch.setenv("FAKE_STEP_S", "0")
    lifecycle.retry_stage(_stage(run))
    _train(run)
    assert _stage(run).status == Status.SUCCEEDED


def test_a_claim_is_kept_while_a_trainer_takes_its_time_to_stop(run: Run, monkeypatch, settings) -> None:
    settings.LEASE_SECONDS = 0.5
    monkeypatch.setenv("FAKE_STEP_S", "2")  # it ends only after its step
    monkeypatch.setattr(ingest.StepReader, "ingest", lambda self: 1 / 0)
    _train(run)
    assert (_stage(run).status, _stage(run).attempt) == (Status.FAILED, 1)


def test_a_stage_that_says_it_is_done_without_a_checkpoint_fails_and_a_retry_makes_one(run: Run, monkeypatch) -> None:
    program = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"

    def boast(folder: StageDir, module: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", program, folder.outcome, '{"status": "done", "step": 6}'])

    started = launch.start
    monkeypatch.setattr(launch, "start", boast)
    _train(run)
    assert (_stage(run).status, _stage(run).failure_code) == (Status.FAILED, "cannot_record")
    assert "step_000006" in _stage(run).failure_reason
    monkeypatch.setattr(launch, "start", started)
    lifecycle.retry_stage(_stage(run))
    _train(run)
    assert _stage(run).status == Status.SUCCEEDED


BROKEN_SCORES: dict[str, Callable[[str], str]] = {
    "torn": lambda text: text[: len(text) // 2],
    "gone": lambda text: "",
    "twice": lambda text: text + text,
}


@pytest.mark.parametrize("damage", ["torn", "gone"])
def test_scores_that_are_not_whole_fail_the_scoring_and_a_retry_makes_them_anew(
    run: Run, damage: str, monkeypatch
) -> None:
    _train(run)
    tasks.score_checkpoint(_base(run).pk)
    scores = ingest.scoring_folder(_base(run)).scores
    scores.write_text(BROKEN_SCORES[damage](scores.read_text()))
    Checkpoint.objects.filter(pk=_base(run).pk).update(status=Status.QUEUED)
    monkeypatch.setattr(launch, "SCORE", "this")  # a scorer that finds its outcome done does nothing more
    tasks.score_checkpoint(_base(run).pk)
    assert (_base(run).status, _base(run).failure_code) == (Status.FAILED, "cannot_record")
    assert "stem" in _base(run).failure_reason
    assert not ingest.scoring_folder(_base(run)).outcome.exists()
    monkeypatch.setattr(launch, "SCORE", FAKE)
    lifecycle.retry(run)
    tasks.score_checkpoint(_base(run).pk)
    assert _base(run).status == Status.SUCCEEDED
    assert _base(run).scores.count() == 4


def test_a_score_written_twice_counts_once(run: Run) -> None:
    _train(run)
    tasks.score_checkpoint(_base(run).pk)
    scores = ingest.scoring_folder(_base(run)).scores
    scores.write_text(scores.read_text() * 2)
    ingest.ingest_scores(_base(run))
    assert _base(run).scores.count() == 4


def test_a_scorer_killed_three_times_fails_and_a_retry_scores(run: Run, monkeypatch) -> None:
    _train(run)
    monkeypatch.setattr(
        launch,
        "start",
        lambda folder, module: subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]),
    )
    for status in (Status.QUEUED, Status.QUEUED, Status.FAILED):
        tasks.score_checkpoint(_base(run).pk)
        assert _base(run).status == status
    assert (_base(run).failure_code, _base(run).kills) == ("killed", 2)
    monkeypatch.undo()
    monkeypatch.setattr(launch, "SCORE", FAKE)
    lifecycle.retry(run)
    assert _base(run).kills == 0
    tasks.score_checkpoint(_base(run).pk)
    assert _base(run).is_scored


def test_reasons_are_stored_whatever_is_in_them(run: Run) -> None:
    claimed = lifecycle.claim_stage(_stage(run).pk, worker="host:1")
    assert lifecycle.fail(claimed, code="error", reason="nul \0, half \ud800, long " + "x" * 100_000)
    assert _stage(run).failure_reason.startswith("nul ␀, half ?, long xxx")
    assert len(_stage(run).failure_reason) <= 4000


def test_a_stage_waits_for_a_predecessor_that_still_writes_in_its_folder(run: Run, background) -> None:
    with _folder(run).lock():
        background(lambda: _train(run))
        _wait_for(lambda: _stage(run).substep == "waiting for an earlier process")
    _wait_for(lambda: _stage(run).status == Status.SUCCEEDED)
    assert _stage(run).attempt == 1


def test_a_predecessor_that_never_ends_is_a_failure_with_a_reason(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "BUSY_SECONDS", 0.2)
    with _folder(run).lock():
        _train(run)
    assert (_stage(run).status, _stage(run).failure_code) == (Status.FAILED, "cannot_start")
    assert "another process is writing in" in _stage(run).failure_reason


def test_a_pause_is_heard_while_waiting_for_a_predecessor(run: Run, background) -> None:
    with _folder(run).lock():
        waiting = background(lambda: _train(run))
        _wait_for(lambda: _stage(run).substep == "waiting for an earlier process")
        lifecycle.pause(run)
        waiting.join(timeout=10)
        assert not waiting.is_alive()
    assert _stage(run).status == Status.PAUSED


def test_a_worker_that_is_lost_again_and_again_takes_the_stage_down_with_a_reason(run: Run) -> None:
    """As where the trainer's memory takes the whole container down: the lease runs out, and the next worker dies too."""
    for attempt in range(1, lifecycle.MAX_LOSSES + 1):
        assert lifecycle.claim_stage(_stage(run).pk, worker=f"host:{attempt}") is not None
        Stage.objects.filter(pk=_stage(run).pk).update(lease_until="2020-01-01T00:00Z")
    assert lifecycle.claim_stage(_stage(run).pk, worker="host:last") is None
    assert (_stage(run).status, _stage(run).failure_code) == (Status.FAILED, "killed")
    lifecycle.retry_stage(_stage(run))
    assert lifecycle.claim_stage(_stage(run).pk, worker="host:1") is not None


def test_two_workers_share_branches(background, monkeypatch) -> None:
    stages = a_recipe().model_dump(mode="json")["stages"]
    side = {**stages[1], "name": "side_rl", "starts_from": "warm"}
    run = a_run(a_project(), spec=a_recipe(stages=[*stages[:2], side]))
    _train(run)
    monkeypatch.setenv("FAKE_STEP_S", "0.2")
    for _ in range(2):  # two workers, each with all nudges
        background(lambda: [_train(run, stage.name) for stage in ready.stages().filter(run=run)] and None)
    both = lambda: {stage.name for stage in run.stages.filter(status=Status.RUNNING, step__gte=1)}  # noqa: E731
    _wait_for(lambda: both() == {"if_rl", "side_rl"})
    _wait_for(lambda: run.stages.filter(status=Status.SUCCEEDED).count() == 3)
    assert [stage.attempt for stage in run.stages.all()] == [1, 1, 1]


def test_a_trainer_that_dies_on_a_full_disk_is_told_so(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(launch, "TRAIN", "tests.worker.no_such_program")
    _folder(run).path.mkdir(parents=True)
    (_folder(run).path / "probe.tmp").symlink_to("/dev/full")  # every write to it fails as on a full disk
    _train(run)
    assert _stage(run).failure_code == "disk_full"
    assert "No space left on device" in _stage(run).failure_reason


def test_a_trainer_that_prints_megabytes_does_no_harm(run: Run, monkeypatch) -> None:
    program = "import sys; sys.stdout.write('x' * 20_000_000); sys.exit(3)"

    def loud(folder: StageDir, module: str) -> subprocess.Popen[bytes]:
        with open(folder.log, "ab") as log:
            return subprocess.Popen([sys.executable, "-c", program], stdout=log)

    monkeypatch.setattr(launch, "start", loud)
    _folder(run).path.mkdir(parents=True)
    _train(run)
    assert "exit status 3" in _stage(run).failure_reason

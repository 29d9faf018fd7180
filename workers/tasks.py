"""Celery tasks: adapters between a message, a claim in the database, and a child process.

A task is acknowledged early: if its worker dies, the lease in the database runs out and another worker takes over.
"""

import contextlib
import logging
import math
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery import shared_task
from celery.signals import celeryd_after_setup, worker_shutting_down
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor

from runs import estimates, events, gates, ingest, lifecycle, ready, resolve
from runs.data_sets import DataSetError
from runs.estimates import MissingModelError
from runs.models import Checkpoint, Stage, TopUp
from runs.registered_models import ModelError
from workers import launch
from workers.estimate import TooLargeError
from workers.judges import JudgeError
from workers.stage_dir import FolderBusyError, Outcome, Progress, StageDir, is_whole, read_document, write_text

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

LOOK_SECONDS = 0.5
VALIDATION = ("validation",)
BUSY_SECONDS = 900.0  # a predecessor finishes its step, however long that is, and writes a checkpoint
_DATABASE_AWAY = (OperationalError, InterfaceError)
_REFUSALS: dict[type[Exception], str] = {
    TooLargeError: "too_large",
    JudgeError: "no_judge",
    MissingModelError: "no_reward_model",
    DataSetError: "bad_source",
    ModelError: "bad_source",
}  # what says by itself why work cannot start here, and its code
_stopping = threading.Event()


class ResultsMissingError(RuntimeError):
    """A process said it was done, but what it should have left is not there."""


@celeryd_after_setup.connect
def _get_ready(instance: Any, **_: Any) -> None:
    """Import torch while the database comes up, but not in a worker of the default queue alone: no stage comes there."""
    app = instance.app
    if set(app.amqp.queues.consume_from) != {app.conf.task_default_queue}:
        launch.warm_up()
    wait_for_tables()


def wait_for_tables() -> None:
    """Take no work before the database is there and migrated."""
    while not _is_migrated():
        logger.info("waiting for the database to be there and migrated")
        time.sleep(LOOK_SECONDS)


def _is_migrated() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except _DATABASE_AWAY:
        return False
    finally:
        connection.close()


@worker_shutting_down.connect
def _stop_children(**_: Any) -> None:
    _stopping.set()


@shared_task(name="workers.tend_all")
def tend_all() -> None:
    """Send again whatever nudge was lost, and check gates that nobody came to check."""
    ready.tend_all()
    gates.check_all_gates()


@shared_task(name="workers.train_stage")
def train_stage(stage_id: int) -> None:
    """Carry out a stage, if it can be claimed."""
    claim = lifecycle.claim_stage(stage_id, worker=worker_name())
    if claim is None:
        return
    stage = claim.work
    assert isinstance(stage, Stage)
    folder, reader = ingest.stage_folder(stage), ingest.StepReader(stage)
    noticed: set[int] = set()

    def look() -> dict[str, float | None]:
        _notice_base(stage, folder)
        _notice_middle(stage, folder, noticed)
        metrics = reader.ingest()
        return {} if metrics is None else {"reward": metrics.get("reward")}

    def succeed() -> None:
        final = folder.checkpoint(stage.n_steps)
        if not final.is_dir():
            raise ResultsMissingError(f"found no checkpoint {final.name}, which a finished stage leaves")
        lifecycle.finish_stage(claim, folder=str(final.relative_to(ingest.run_folder(stage.run))))

    def prepare() -> None:
        estimates.refuse_missing_reward_models(stage)
        estimates.refuse_what_is_too_large(stage)
        _drop_damaged(claim, folder)
        resolve.write_stage_spec(stage)

    carry_out(claim, folder, module=launch.TRAIN, prepare=prepare, look=look, succeed=succeed)


@shared_task(name="workers.score_checkpoint")
def score_checkpoint(checkpoint_id: int) -> None:
    """Score a checkpoint on every benchmark, if it can be claimed."""
    claim = lifecycle.claim_checkpoint(checkpoint_id, worker=worker_name())
    if claim is None:
        return
    checkpoint = claim.work
    assert isinstance(checkpoint, Checkpoint)
    folder, is_validated = ingest.scoring_folder(checkpoint), False

    def look() -> dict[str, float | None]:
        """Store validation scores, which come first, as soon as they are whole: stages that choose teachers wait for them."""
        nonlocal is_validated
        if not is_validated and not ingest.missing_scores(checkpoint, VALIDATION):
            ingest.ingest_scores(checkpoint, VALIDATION)
            ready.tend(checkpoint.run)
            is_validated = True
        if _lacks_only_tasks(folder):
            ingest.ingest_scores(checkpoint)
        return {}

    def succeed() -> None:
        if missing := ingest.missing_scores(checkpoint):
            raise ResultsMissingError(f"found no whole score of {', '.join(missing)} in scores.jsonl")
        ingest.ingest_scores(checkpoint)
        ingest.write_card(checkpoint)
        if lifecycle.finish_scoring(claim):
            gates.check_gates(checkpoint.run)

    carry_out(
        claim,
        folder,
        module=launch.SCORE,
        prepare=lambda: resolve.write_scoring_spec(checkpoint),
        look=look,
        succeed=succeed,
    )


def _lacks_only_tasks(folder: StageDir) -> bool:
    """Whether a scoring has ended without a task that cannot be asked: what else it scored is shown all the same."""
    try:
        outcome = read_document(folder.outcome, Outcome)
    except ValueError:
        return False
    return outcome is not None and outcome.code == "bad_task"


@shared_task(name="workers.top_up")
def top_up(top_up_id: int) -> None:
    """Sample further answers to a benchmark's problems, if the top-up can be claimed."""
    claim = lifecycle.claim_top_up(top_up_id, worker=worker_name())
    if claim is None:
        return
    asked = claim.work
    assert isinstance(asked, TopUp)

    def succeed() -> None:
        n_answers = ingest.ingest_top_up(asked)
        if n_answers < asked.samples:
            raise ResultsMissingError(f"found {n_answers} answers to each problem, expected {asked.samples}")
        ingest.write_card(asked.checkpoint)
        lifecycle.finish_scoring(claim)

    carry_out(
        claim,
        ingest.top_up_folder(asked),
        module=launch.TOP_UP,
        prepare=lambda: resolve.write_top_up_spec(asked),
        look=lambda: {},
        succeed=succeed,
    )


def carry_out(
    claim: lifecycle.Claim,
    folder: StageDir,
    *,
    module: str,
    prepare: Callable[[], None],
    look: Callable[[], dict[str, float | None]],
    succeed: Callable[[], None],
) -> None:
    """Start the child, follow it to its end, and record how it ended. Whatever breaks on the way fails the work."""
    try:
        _insist(prepare)
        process = launch.start(folder, module) if _gets_the_folder(claim, folder) else None
    except _DATABASE_AWAY:
        raise
    except tuple(_REFUSALS) as error:
        _fail(claim, folder, _REFUSALS[type(error)], str(error))
        return
    except Exception as error:
        _fail(claim, folder, "cannot_start", f"the stage's folder cannot be prepared: {_words(error)}")
        return
    if process is None:
        _insist(lambda: lifecycle.release(claim))
        return
    try:
        try:
            is_held = _follow(claim, folder, process, look)
        finally:
            launch.stop(process, meanwhile=lambda: _keep(claim))
        _insist(look)
        if is_held:
            _insist(lambda: _record_ending(claim, folder, process.wait(), succeed))
        else:
            _insist(lambda: lifecycle.release(claim))
    except _DATABASE_AWAY:
        raise  # it was away for too long to record anything: the lease runs out, and the work is taken up again
    except Exception as error:
        # The border of the task: work that nobody ends would be taken up again, and break again, for ever.
        reason = (
            f"what the process left cannot be recorded: {_words(error)}. The process was stopped; retry does it again"
        )
        _fail(claim, folder, "cannot_record", reason)


def _fail(claim: lifecycle.Claim, folder: StageDir, code: str, reason: str) -> None:
    """Fail the work; called where an exception is handled. A retry must not find the work done."""
    logger.exception("%s is failed: %s", claim.work, reason)
    with contextlib.suppress(OSError):
        folder.outcome.unlink(missing_ok=True)
    _insist(lambda: lifecycle.fail(claim, code=code, reason=reason))


def _words(error: Exception) -> str:
    """An error of the system or of ours speaks for itself; of any other, the kind matters too."""
    is_plain = isinstance(error, OSError | ResultsMissingError | FolderBusyError)
    return str(error) if is_plain else f"{type(error).__name__}: {error}".strip()


def _gets_the_folder(claim: lifecycle.Claim, folder: StageDir) -> bool:
    """Wait until an earlier attempt's process, which may still finish its step, has left the folder.

    False if the work is to be let go meanwhile. Raises FolderBusyError after BUSY_SECONDS.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with folder.lock():
                return True
        except FolderBusyError:
            if time.monotonic() > deadline:
                raise
        if _stopping.is_set() or not _insist(lambda: lifecycle.beat(claim, substep="waiting for an earlier process")):
            return False
        time.sleep(LOOK_SECONDS)


def _follow(
    claim: lifecycle.Claim,
    folder: StageDir,
    process: launch.ChildProcess,
    look: Callable[[], dict[str, float | None]],
) -> bool:
    """Ingest and beat until the child ends; False if it must be stopped: claim lost, paused, cancelled, worker stopping."""
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LOOK_SECONDS)  # no sleep: the next stage waits for this one's end
        if _stopping.is_set():
            return False
        try:
            facts = look() | _live_facts(folder)
            if not lifecycle.beat(claim, **facts):
                return False
            events.tell(claim.work, "steps")
        except _DATABASE_AWAY as error:
            logger.warning("the database does not answer, the trainer goes on: %s", error)
            close_old_connections()
    return True


def _keep(claim: lifecycle.Claim) -> None:
    """Keep a claim, if it is still ours, while its process takes its time to stop."""
    try:
        lifecycle.beat(claim)
    except _DATABASE_AWAY:
        close_old_connections()


def _live_facts(folder: StageDir) -> dict[str, Any]:
    try:
        progress = read_document(folder.progress, Progress)
    except ValueError:
        return {}  # it is only for looking at, and the next one is written in a moment
    if progress is None:
        return {"substep": "starting"}
    eta_s = progress.eta_s if progress.eta_s is not None and math.isfinite(progress.eta_s) else None
    substep = progress.substep.replace("\0", "")[:60]
    return {"step": progress.step, "n_steps": progress.steps, "substep": substep, "eta_s": eta_s}


def _record_ending(claim: lifecycle.Claim, folder: StageDir, exit_code: int, succeed: Callable[[], None]) -> None:
    outcome = read_document(folder.outcome, Outcome)
    if outcome is not None and outcome.status == "done":
        succeed()
    elif outcome is not None and outcome.status == "failed":
        lifecycle.fail(claim, code=outcome.code, reason=outcome.reason)
    elif outcome is not None:
        lifecycle.release(claim)
    elif exit_code < 0:
        lifecycle.restart_or_fail(claim, reason=f"the process was killed by signal {-exit_code}")
    elif disk := _disk_problem(folder):
        reason = f"the disk cannot be written ({disk}); free some space or make it writable, then retry"
        lifecycle.fail(claim, code="disk_full", reason=reason)
    else:
        reason = f"the process ended without a word (exit status {exit_code}); see the log, then retry"
        lifecycle.fail(claim, code="error", reason=reason)


def _disk_problem(folder: StageDir) -> str:
    """Say why a process that ended without a word could not have left one; empty where the folder can be written."""
    probe = folder.path / "probe"
    try:
        write_text(probe, "x" * 4096)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        with contextlib.suppress(OSError):
            probe.with_name("probe.tmp").unlink(missing_ok=True)
            probe.unlink(missing_ok=True)
    return ""


def _drop_damaged(claim: lifecycle.Claim, folder: StageDir) -> None:
    """Drop checkpoints that are not what was written, so that this attempt makes them anew: same seed, same weights.

    An outcome that says done is worth nothing then, nor where the last checkpoint is gone.
    """
    stage = claim.work
    assert isinstance(stage, Stage)
    found = list(folder.path.glob("checkpoints/step_" + "[0-9]" * 6))
    damaged = [path for path in found if not is_whole(path, meanwhile=lambda: _keep(claim))]
    for path in damaged:
        logger.warning("%s is damaged and made anew", path)
        shutil.rmtree(path)
    if damaged or not folder.checkpoint(stage.n_steps).exists():
        folder.outcome.unlink(missing_ok=True)


def _notice_base(stage: Stage, folder: StageDir) -> None:
    """The first stage of a tiny model leaves the untrained base; record it as soon as it is whole."""
    if stage.position == 0 and stage.starts_from_id is None and folder.checkpoint(0).exists():
        lifecycle.add_base_checkpoint(stage.run, folder=f"{stage.name}/checkpoints/{folder.checkpoint(0).name}")


def _notice_middle(stage: Stage, folder: StageDir, noticed: set[int]) -> None:
    """Record the checkpoints that the stage kept of its middle to be scored; `noticed` are those that need no more asking."""
    for step in stage.spec.mid_stage_steps():
        if step not in noticed and folder.checkpoint(step).exists():
            path = f"{stage.name}/checkpoints/{folder.checkpoint(step).name}"
            lifecycle.add_mid_stage_checkpoint(stage, at_step=step, folder=path)
            noticed.add(step)


def _insist(act: Callable[[], Result], *, patience_s: float = 300.0) -> Result:
    """Do what must be recorded, however long the database is away, up to `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return act()
        except _DATABASE_AWAY:
            if time.monotonic() > deadline:
                raise
            close_old_connections()
            time.sleep(2.0)


def worker_name() -> str:
    """Name this worker for people: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"

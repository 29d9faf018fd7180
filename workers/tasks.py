"""Celery tasks: adapters between a message, a claim in the database, and a child process.

A task is acknowledged early: if its worker dies, the lease in the database runs out and another worker takes over.
"""

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery import shared_task
from celery.signals import worker_shutting_down
from django.db import InterfaceError, OperationalError, close_old_connections

from runs import events, ingest, lifecycle, resolve
from runs.models import Checkpoint, Stage
from workers import launch
from workers.stage_dir import Outcome, Progress, StageDir, read_document

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

LOOK_SECONDS = 0.5
_stopping = threading.Event()


@worker_shutting_down.connect
def _stop_children(**_: Any) -> None:
    _stopping.set()


@shared_task(name="workers.tend_all")
def tend_all() -> None:
    """Send again whatever nudge was lost."""
    lifecycle.tend_all()


@shared_task(name="workers.train_stage")
def train_stage(stage_id: int) -> None:
    """Carry out a stage, if it can be claimed."""
    claim = lifecycle.claim_stage(stage_id, worker=lifecycle.worker_name())
    if claim is None:
        return
    stage = claim.work
    assert isinstance(stage, Stage)
    folder, reader = ingest.stage_folder(stage), ingest.StepReader(stage)

    def look() -> dict[str, float | None]:
        _notice_base(stage, folder)
        metrics = reader.ingest()
        return {} if metrics is None else {"reward": metrics.get("reward")}

    def succeed() -> None:
        final = folder.checkpoint(stage.n_steps).relative_to(ingest.run_folder(stage.run))
        lifecycle.finish_stage(claim, folder=str(final))

    _carry_out(
        claim, folder, module=launch.TRAIN, prepare=lambda: resolve.write_stage_spec(stage), look=look, succeed=succeed
    )


@shared_task(name="workers.score_checkpoint")
def score_checkpoint(checkpoint_id: int) -> None:
    """Score a checkpoint on every benchmark, if it can be claimed."""
    claim = lifecycle.claim_checkpoint(checkpoint_id, worker=lifecycle.worker_name())
    if claim is None:
        return
    checkpoint = claim.work
    assert isinstance(checkpoint, Checkpoint)

    def succeed() -> None:
        ingest.ingest_scores(checkpoint)
        lifecycle.finish_scoring(claim)

    _carry_out(
        claim,
        ingest.scoring_folder(checkpoint),
        module=launch.SCORE,
        prepare=lambda: resolve.write_scoring_spec(checkpoint),
        look=dict,
        succeed=succeed,
    )


def _carry_out(
    claim: lifecycle.Claim,
    folder: StageDir,
    *,
    module: str,
    prepare: Callable[[], None],
    look: Callable[[], dict[str, float | None]],
    succeed: Callable[[], None],
) -> None:
    """Start the child, follow it to its end, and record how it ended."""
    try:
        prepare()
        process = launch.start(folder, module)
    except (OSError, ValueError) as error:
        logger.exception("%s cannot start", claim.work)
        reason = f"the stage's folder cannot be prepared: {error}"
        _insist(lambda: lifecycle.fail(claim, code="cannot_start", reason=reason))
        return
    try:
        is_held = _follow(claim, folder, process, look)
    finally:
        launch.stop(process)
    _insist(look)
    if is_held:
        _insist(lambda: _record_ending(claim, folder, process.returncode, succeed))
    else:
        _insist(lambda: lifecycle.release(claim))


def _follow(
    claim: lifecycle.Claim,
    folder: StageDir,
    process: subprocess.Popen[bytes],
    look: Callable[[], dict[str, float | None]],
) -> bool:
    """Ingest and beat until the child ends; False if it must be stopped: claim lost, paused, cancelled, worker stopping."""
    while process.poll() is None:
        time.sleep(LOOK_SECONDS)
        if _stopping.is_set():
            return False
        try:
            facts = look() | _live_facts(folder)
            if not lifecycle.beat(claim, **facts):
                return False
            events.publish(claim.work.run.public_id, "steps")
        except (OperationalError, InterfaceError) as error:
            logger.warning("the database does not answer, the trainer goes on: %s", error)
            close_old_connections()
    return True


def _live_facts(folder: StageDir) -> dict[str, Any]:
    progress = read_document(folder.progress, Progress)
    if progress is None:
        return {"substep": "starting"}
    return {"step": progress.step, "n_steps": progress.steps, "substep": progress.substep[:60], "eta_s": progress.eta_s}


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
    else:
        reason = f"the process ended without a word (exit status {exit_code}); see the log, then retry"
        lifecycle.fail(claim, code="error", reason=reason)


def _notice_base(stage: Stage, folder: StageDir) -> None:
    """The first stage of a tiny model leaves the untrained base; record it as soon as it is whole."""
    if stage.position == 0 and stage.starts_from_id is None and folder.checkpoint(0).exists():
        lifecycle.add_base_checkpoint(stage.run, folder=f"{stage.name}/checkpoints/{folder.checkpoint(0).name}")


def _insist(act: Callable[[], Result], *, patience_s: float = 300.0) -> Result:
    """Do what must be recorded, however long the database is away, up to `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            close_old_connections()
            time.sleep(2.0)

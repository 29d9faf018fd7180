"""What the trainer and the scorer have in common as processes: threads, signals, the folder's lock, the outcome.

Imports no torch: it runs first, to set the environment that torch reads when it is imported.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from workers.stage_dir import FolderBusyError, Outcome, StageDir, read_document, write_document
from workers.training.distributed import is_first

PARENT = "CASCADE_PARENT_PID"  # the variable in which a forked child is told its parent
LEFT_ALONE = 75  # exit status of one of several processes whose fellow is gone; that one's end tells why
WORD_S = 3.0  # how long one of several processes waits for the first to say why all of them fail
LOCK_PATIENCE_S = 20.0  # a predecessor that was told to stop may still finish its step


class StopRequest:
    """Tells whether this process should end after its current step: on SIGTERM, on SIGINT, or when its parent is gone."""

    def __init__(self) -> None:
        self._was_signalled = False
        # A forked child is told, since its parent may have died before this line. Its own children are not told.
        self._parent = int(os.environ.pop(PARENT, os.getppid()))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def is_set(self) -> bool:
        """A worker that was killed must not leave a trainer behind, so a new parent counts as a request."""
        return self._was_signalled or os.getppid() != self._parent

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._was_signalled = True


Work = Callable[[StageDir, StopRequest], Outcome]


def run_in_folder(argv: list[str], import_work: Callable[[], Work]) -> int:
    """Do a folder's work and leave its outcome there; returns the exit status: 0 done or stopped, 1 failed."""
    if len(argv) != 2:
        print("usage: python -m workers.training[.evaluate] FOLDER", file=sys.stderr)
        return 2
    stop = StopRequest()
    set_threads()
    folder = StageDir(Path(argv[1]))
    if not folder.spec.exists():
        print(f"found no spec.json in {folder.path}; write one, see workers/stage_dir.py", file=sys.stderr)
        return 2
    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - to the end; the first speaks for all
    with ExitStack() as stack:
        try:
            if is_first():
                _lock(folder, stack)
        except FolderBusyError as error:
            print(error, file=sys.stderr)
            return 1  # the outcome is the other process's to write
        outcome = carry_out(folder, stop, import_work)
        print(f"{outcome.status}: {outcome.reason or f'step {outcome.step}'}", flush=True)
    return 1 if outcome.status == "failed" else 0


def carry_out(folder: StageDir, stop: StopRequest, import_work: Callable[[], Work]) -> Outcome:
    """Do the work unless it is done, and write down how it ended, whatever happened; the caller holds the lock.

    One of several processes that lost another writes nothing and exits with LEFT_ALONE: it is no failure of its own.
    """
    from workers.training.failures import is_left_alone, outcome_of

    earlier = read_document(folder.outcome, Outcome)
    if earlier is not None and earlier.status == "done":
        return earlier
    try:
        if is_first():
            folder.outcome.unlink(missing_ok=True)  # of an earlier attempt
        outcome = import_work()(folder, stop)
    except ValidationError as error:
        traceback.print_exc()
        outcome = Outcome(status="failed", code="bad_spec", reason=f"spec.json is not valid: {_first_error(error)}")
    except Exception as error:
        # The border of the process: whatever happened becomes a failed stage with a reason.
        traceback.print_exc()
        if is_left_alone(error):
            sys.exit(LEFT_ALONE)
        outcome = outcome_of(error, _last_step(folder))
    try:
        if is_first() or (outcome.status == "failed" and not _hears_a_word(folder)):
            write_document(folder.outcome, outcome)
    except OSError as error:
        print(f"the outcome cannot be written: {error}", file=sys.stderr)
    return outcome


def _hears_a_word(folder: StageDir) -> bool:
    """Wait a moment for the first of several processes to write an outcome: most failures are everybody's."""
    deadline = time.monotonic() + WORD_S
    while not folder.outcome.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _lock(folder: StageDir, stack: ExitStack) -> None:
    """Take the folder's lock, waiting some seconds for a predecessor that is about to end."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            stack.enter_context(folder.lock())
            return
        except FolderBusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def set_threads() -> None:
    """Keep threads from spinning: with two processes on two cores that costs ten times what a second thread brings.

    To be called before torch is imported, which reads these once.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a stage that asks for more gets them (cpu_threads)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy and scipy start more when imported, and would be forked
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


def _first_error(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _last_step(folder: StageDir) -> int:
    from workers.stage_dir import StepRecord, read_records

    records, _ = read_records(folder.steps, StepRecord)
    return records[-1].step if records else 0

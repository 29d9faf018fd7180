"""Start a trainer as a child process, and stop it.

The child has its own process group, so that it and whatever it starts can be signalled together, and its own CUDA
context, so that its GPU memory is surely free when it is gone. Only a command line crosses, never an import.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from workers.stage_dir import Outcome, StageDir, read_document

TRAIN = "workers.training"
SCORE = "workers.training.evaluate"
STOP_SECONDS = 30.0  # a trainer finishes its step and writes a checkpoint within this time
_ROOT = Path(__file__).resolve().parent.parent


def start(folder: StageDir, module: str) -> subprocess.Popen[bytes]:
    """Start `python -m module folder`, with its output appended to the folder's log."""
    folder.path.mkdir(parents=True, exist_ok=True)
    ending = read_document(folder.outcome, Outcome)
    if ending is not None and ending.status != "done":
        folder.outcome.unlink()  # a former attempt's failure must not be taken for this one's
    with open(folder.log, "ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own module on a folder we made
            [sys.executable, "-m", module, str(folder.path)],
            cwd=_ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask for a checkpoint and an end; after STOP_SECONDS, end it. Harmless on a process that is gone."""
    _signal(process, signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _environment() -> dict[str, str]:
    """What a trainer may know: no database, no broker, no secrets. Thread settings must be set before torch is loaded."""
    kept = {name: value for name, value in os.environ.items() if not _is_secret(name)}
    defaults = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return {**defaults, **kept, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _is_secret(name: str) -> bool:
    return name in {"DATABASE_URL", "REDIS_URL", "PGPASSWORD"} or name.endswith(("SECRET_KEY", "_TOKEN", "_PASSWORD"))

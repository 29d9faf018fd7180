"""Start a trainer as a process of its own, and stop it.

The process has its own group, so that it and whatever it starts can be signalled together, and its own CUDA context, so
that its GPU memory is surely free when it is gone. A stage of several processes starts as one, which starts the others
(see training/launcher.py). Only a command line crosses, never an import: the worker's nursery (see nursery.py), not the
worker, has torch imported and forks.
"""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Protocol

from workers import nursery
from workers.judges import environment_for, named_judges, secret_variables
from workers.stage_dir import Outcome, StageDir, read_document

logger = logging.getLogger(__name__)

TRAIN = "workers.training"
SCORE = "workers.training.evaluate"
TOP_UP = "workers.training.top_up"
REGISTER = "workers.training.data_sets.register"
FIND_LEAKS = "workers.training.data_sets.find_leaks"
INSPECT = "workers.training.models.inspect_model"
SETTINGS = {
    "OMP_WAIT_POLICY": "passive",
    "GOMP_SPINCOUNT": "0",
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    # speed: glibc would give memory back to the kernel and take it again within every step, at the cost of a fault a page.
    # Kept in one arena of huge pages, a step on a CPU takes some 6 % less. Read once, as a process starts.
    "GLIBC_TUNABLES": ":".join(
        f"glibc.malloc.{name}={value}"
        for name, value in (
            ("trim_threshold", 2**30),
            ("mmap_threshold", 2**25),
            ("top_pad", 2**26),
            ("arena_max", 1),
            ("hugetlb", 1),
        )
    ),
}  # what a trainer is started with where the operator says nothing else
STOP_SECONDS = 30.0  # a trainer finishes its step and writes a checkpoint within this time
LOOK_SECONDS = 0.5  # between two looks at a process


class ChildProcess(Protocol):
    """What is used of a child here and in tasks.py, whether forked by the nursery or a subprocess.Popen."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


def warm_up() -> None:
    """Have torch imported by the time the first stage comes."""
    nursery.warm_up(_environment())


def start(folder: StageDir, module: str) -> ChildProcess:
    """Do what `python -m module folder` does, with its output appended to the folder's log, without importing torch anew.

    Raises JudgeError where its spec names a judge that cannot be asked from here.
    """
    judges = environment_for(_judges_of(folder), os.environ)
    _prepare(folder)
    return nursery.fork(module, folder=folder.path, environment=_environment() | judges)


def stop(process: ChildProcess, *, meanwhile: Callable[[], object]) -> None:
    """Ask for a checkpoint and an end; after STOP_SECONDS, end it. Harmless on a process that is gone.

    meanwhile: called again and again while the process takes its time; must not raise.
    """
    _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        meanwhile()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LOOK_SECONDS)
    _signal(process, signal.SIGKILL)
    process.wait()


def _prepare(folder: StageDir) -> None:
    """Make room for a new attempt; raises OSError here, in the worker, where the folder cannot be written."""
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.log.touch()
    _drop_former_outcome(folder)


def _drop_former_outcome(folder: StageDir) -> None:
    """A former attempt's failure must not be taken for this one's; nor must what cannot be read."""
    try:
        ending = read_document(folder.outcome, Outcome)
    except ValueError:
        logger.warning("%s cannot be read and is dropped", folder.outcome)
        ending = None
    if ending is None or ending.status != "done":
        folder.outcome.unlink(missing_ok=True)


def _judges_of(folder: StageDir) -> list[str]:
    """Name the judges that the folder's spec names; a spec that cannot be read is the process's own to report."""
    try:
        spec = json.loads(folder.spec.read_text())
    except (OSError, ValueError):
        return []
    return named_judges(spec) if isinstance(spec, dict) else []


def _signal(process: ChildProcess, number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _environment() -> dict[str, str]:
    """What any trainer may know: no database, no broker, no secrets. Thread settings must be set before torch is loaded."""
    of_judges = secret_variables(os.environ)
    kept = {name: value for name, value in os.environ.items() if name not in of_judges and not _is_secret(name, value)}
    return {**SETTINGS, **kept, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


_SECRET_NAME = re.compile(
    r"DATABASE_URL|REDIS_URL|BROKER|DSN|SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY|_PAT$",
    re.IGNORECASE,
)
_ADDRESS_WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def _is_secret(name: str, value: str) -> bool:
    """Keep back what looks like a secret, by its name or as part of an address."""
    is_ours = name == "TOKENIZERS_PARALLELISM"
    return not is_ours and bool(_SECRET_NAME.search(name) or _ADDRESS_WITH_PASSWORD.search(value))

"""Start the processes of a stage that asks for several, with torchrun's own means, and end as they end.

`torchrun --standalone --nproc-per-node N -m workers.training FOLDER` does the same by hand, but tells only that something
failed. This process ends by a signal where one of them did, so that whoever started it sees a stage that was killed,
not one that failed; and it stops when its own parent is gone.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from pydantic import ValidationError

from workers.spec import ResolvedStageSpec
from workers.stage_dir import StageDir
from workers.training.process import LEFT_ALONE, PARENT, set_threads

LOOK_S = 0.5  # between two looks at the parent


def processes_wanted(argv: list[str]) -> int:
    """Say how many processes the stage of a command line asks for; what is wrong with it, the trainer says."""
    try:
        spec = ResolvedStageSpec.model_validate_json(StageDir(Path(argv[1])).spec.read_text())
    except (IndexError, OSError, ValidationError):
        return 1
    return spec.stage.processes


def launch(folder: str, n: int) -> int:
    """Carry the stage of a folder out in n processes; returns the exit status: 0 done or stopped, 1 failed."""
    parent = int(os.environ.pop(PARENT, os.getppid()))  # the processes have this one as theirs
    threading.Thread(target=_stop_when_orphaned, args=(parent,), daemon=True).start()
    set_threads()
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    command = [
        "--standalone",
        "--local-addr",
        "localhost",
        "--nproc-per-node",
        str(n),
        "-m",
        "workers.training",
        folder,
    ]
    try:
        run.run(run.parse_args(command))  # type: ignore[no-untyped-call]
    except SignalException as stopped:
        return 0 if StageDir(Path(folder)).outcome.exists() else _die_of(stopped.sigval)
    except ChildFailedError as error:
        return _end_as([failure.exitcode for failure in error.failures.values()])
    return 0


def _end_as(statuses: list[int]) -> int:
    """Return the status of a process that failed by itself; where none did, die of the signal that killed one."""
    failed = [status for status in statuses if status > 0 and status != LEFT_ALONE]
    killed = sorted((-status for status in statuses if status < 0), key=lambda number: number == signal.SIGTERM)
    if not failed and killed:  # torchrun sends SIGTERM to those that are left, so it is the least telling
        print(f"one of the stage's processes was killed by signal {killed[0]}", file=sys.stderr, flush=True)
        return _die_of(signal.Signals(killed[0]))
    return failed[0] if failed else 1


def _die_of(number: signal.Signals) -> int:
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 1


def _stop_when_orphaned(parent: int) -> None:
    """Ask the processes for a checkpoint and an end when the parent is gone, as a trainer on its own does."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)

"""Fork a child for every stage and scoring from one process that has torch imported: python -m workers.training.nursery.

Importing torch and transformers costs seconds of a core; a fork costs milliseconds. Requests come on standard input,
answers go to standard output, a JSON object a line:

    {"id": 3, "module": "workers.training", "folder": "/...", "environment": {...}}   do `python -m module folder`
    {"id": 3, "pid": 1234}                                                            it leads its own process group now
    {"id": 3, "status": 0}                                                            it ended; minus the signal, if one

At a fork the nursery has one thread and CUDA is not initialised: neither would survive in the child. It ends when its
input does. Its children then have another parent, and stop after their step (see process.py).

What it leaves out: threads that a program started are not waited for when its main thread ends. Ours start none.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from workers.stage_dir import StageDir
from workers.training.process import PARENT, set_threads

# They import all that a stage or a scoring needs. The programs themselves are not here: runpy wants them not imported yet.
LIBRARIES = ("workers.training.trainer", "workers.training.tiny_model")
LOOK_MS = 100  # between two looks at whether imports are done


@dataclass(frozen=True)
class Request:
    """A program to run on a folder."""

    id: int
    module: str
    folder: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Pipes:
    """From the worker, and back to it."""

    requests: int
    answers: int


def main() -> None:
    """Fork children until the worker is gone."""
    pipes, nursery = _take_pipes(), os.getpid()
    set_threads()
    _import_libraries(pipes)
    with contextlib.suppress(BrokenPipeError):  # the worker was killed before it could be answered
        request = tend(pipes)
        if request is not None:
            _become_child(request, pipes, nursery=nursery)
    os._exit(0)  # a speed-up: taking torch apart takes a second


def tend(pipes: Pipes) -> Request | None:
    """Answer requests until there are no more, then return None. In each child, return the request it was forked for."""
    ids: dict[int, int] = {}
    bell, rest = _ring_when_a_child_ends(), b""
    while True:
        ready, _, _ = select.select([pipes.requests, bell], [], [])
        if bell in ready:
            os.read(bell, 4096)
            _tell_ends(ids, pipes)
        if pipes.requests not in ready:
            continue
        if not (data := os.read(pipes.requests, 65_536)):
            return None
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            request = Request(**json.loads(line))
            pid = os.fork()
            if pid == 0:
                return request
            ids[pid] = request.id


def _take_pipes() -> Pipes:
    """Keep the pipes from libraries: what they print goes where errors go, and there is nothing for them to read."""
    pipes = Pipes(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return pipes


def _import_libraries(pipes: Pipes) -> None:
    """Import what children will need. Where that fails the nursery goes on: a child says in its log what is missing."""
    # Should a library ask whether there is CUDA, it is answered without initialising it.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    is_done = threading.Event()
    watch = threading.Thread(target=_end_with_worker, args=(pipes, is_done))
    watch.start()
    try:
        for name in LIBRARIES:
            importlib.import_module(name)
    except Exception:  # whatever a library raises: each child imports it again, fails alike, and its log has the reason
        traceback.print_exc()
    finally:
        is_done.set()
        watch.join()
    gc.collect()
    gc.freeze()  # a speed-up: collections in children leave the pages alone that they share with the nursery


def _end_with_worker(pipes: Pipes, is_done: threading.Event) -> None:
    """End the process at once if the worker goes while libraries are imported and nobody reads requests."""
    poll = select.poll()
    poll.register(pipes.requests, 0)  # only for its hanging up
    while not is_done.is_set():
        if poll.poll(LOOK_MS):
            os._exit(0)


def _ring_when_a_child_ends() -> int:
    """Return a descriptor that becomes readable when a child ends."""
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    return bell


def _tell_ends(ids: dict[int, int], pipes: Pipes) -> None:
    while ids:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell(pipes, {"id": ids.pop(pid), "status": os.waitstatus_to_exitcode(status)})


def _tell(pipes: Pipes, answer: dict[str, int]) -> None:
    """Answer in one write, which for so few bytes a pipe keeps whole, whoever else writes."""
    os.write(pipes.answers, json.dumps(answer).encode() + b"\n")


def _become_child(request: Request, pipes: Pipes, *, nursery: int) -> NoReturn:
    """Leave behind what is the nursery's, say so to the worker, then run the program.

    The order matters to the worker: once it reads no more answers, nobody can read its requests any more either.
    """
    os.close(pipes.requests)
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _print_to(StageDir(Path(request.folder)).log)
    os.environ.clear()
    os.environ.update(request.environment)
    os.environ[PARENT] = str(nursery)
    _show_command(sys.executable, "-m", request.module, request.folder)
    _tell(pipes, {"id": request.id, "pid": os.getpid()})
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    _run(request)


def _print_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


def _show_command(*words: str) -> None:
    """Show these words in lists of processes in place of the nursery's, in the room that its padding gave; Linux only."""
    try:
        facts = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return
    start, end = int(facts[45]), int(facts[46])  # arg_start and arg_end of proc(5), whose first two are cut off
    line = os.fsencode("\0".join(words))[: end - start - 1]
    ctypes.memmove(start, line.ljust(end - start, b"\0"), end - start)


def _run(request: Request) -> NoReturn:
    """Do what `python -m module folder` does, without taking the interpreter apart at the end: a second, with torch."""
    sys.argv = [request.module, request.folder]
    status = 0
    try:
        runpy.run_module(request.module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = _status(end)
    except BaseException:
        traceback.print_exc()
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _status(end: SystemExit) -> int:
    """Say what the interpreter exits with: a number is the status, any other object is printed."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()

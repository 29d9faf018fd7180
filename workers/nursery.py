"""The worker's end of the nursery: ask it for a child, hear how the child ends. See workers/training/nursery.py.

One nursery serves all threads of a worker. It goes when the worker goes. If it dies first, its children stop after a
checkpoint and the next request starts another nursery.
"""

import atexit
import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from itertools import count
from pathlib import Path

import psutil

LOOK_SECONDS = 0.1  # between two looks at children that outlive their nursery
ROOT = Path(__file__).resolve().parent.parent
_PADDING = " " * 4096  # room for a child to show its own command line in lists of processes


class ForkedProcess:
    """A child of the nursery, with what tasks use of subprocess.Popen."""

    def __init__(self) -> None:
        self._pid: Future[int] = Future()
        self._status: Future[int] = Future()

    @property
    def pid(self) -> int:
        """Wait until the child is there; raises ProcessLookupError if it never will be."""
        return self._pid.result()

    @property
    def returncode(self) -> int | None:
        """Give the exit status, minus the signal that ended it, or None while it runs."""
        return self._status.result() if self._status.done() else None

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises subprocess.TimeoutExpired after `timeout` seconds."""
        try:
            return self._status.result(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired("a child of the nursery", timeout or 0.0) from None

    def note_start(self, pid: int) -> None:
        self._pid.set_result(pid)

    def note_end(self, status: int) -> None:
        if not self._pid.done():
            self._pid.set_exception(ProcessLookupError("the nursery ended before it forked this child"))
        self._status.set_result(status)

    def is_alive(self) -> bool:
        """Look at the process itself; a zombie that its new parent does not take note of is as good as gone."""
        try:
            return self._pid.done() and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


class Nursery:
    """A running nursery and the children of it that have not ended."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._children: dict[int, ForkedProcess] = {}
        self._ids = count()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "workers.training.nursery", _PADDING],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C in a terminal is for the worker, which then stops its children
        )
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()

    def fork(self, module: str, *, folder: Path, environment: dict[str, str]) -> ForkedProcess:
        """Ask for a child without waiting for it; raises BrokenPipeError if the nursery is gone."""
        child, number = ForkedProcess(), next(self._ids)
        request = {"id": number, "module": module, "folder": str(folder), "environment": environment}
        self._children[number] = child  # before anything can be heard of it
        try:
            self._send(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            self._children.pop(number, None)
            raise
        return child

    def close(self) -> None:
        """End the nursery, even in the middle of its imports; children that are left stop by themselves."""
        assert self._process.stdin is not None
        self._process.terminate()
        self._process.stdin.close()

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        while data:
            data = data[self._process.stdin.write(data) or 0 :]

    def _listen(self) -> None:
        """Note what the nursery says until it is gone. Nobody then reads requests either, so no child can be added."""
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._note(json.loads(line))
        self._process.wait()
        self._watch_orphans()

    def _note(self, answer: dict[str, int]) -> None:
        if "pid" in answer:
            self._children[answer["id"]].note_start(answer["pid"])
        else:
            self._children.pop(answer["id"]).note_end(answer["status"])

    def _watch_orphans(self) -> None:
        """Report each child as killed once it is really gone, so that its work is taken up again and never twice at once."""
        while self._children:
            for number, child in list(self._children.items()):
                if not child.is_alive():
                    del self._children[number]
                    child.note_end(-signal.SIGKILL)
            time.sleep(LOOK_SECONDS)


_nursery: Nursery | None = None
_lock = threading.Lock()


def warm_up(environment: dict[str, str]) -> None:
    """Start the nursery unless there is one, so that its imports are done when the first child is wanted."""
    with _lock:
        _started(environment)


def fork(module: str, *, folder: Path, environment: dict[str, str]) -> ForkedProcess:
    """Do what `python -m module folder` does, with its output appended to the folder's log, in a child of the nursery."""
    with _lock:
        try:
            return _started(environment).fork(module, folder=folder, environment=environment)
        except BrokenPipeError:  # it was killed
            _close()
            return _started(environment).fork(module, folder=folder, environment=environment)


def _started(environment: dict[str, str]) -> Nursery:
    global _nursery
    if _nursery is None:
        _nursery = Nursery(environment)
    return _nursery


def _close() -> None:
    global _nursery
    if _nursery is not None:
        _nursery.close()
        _nursery = None


atexit.register(_close)

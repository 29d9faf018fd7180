"""The trainer's end of the sandbox: child interpreters that are started at first use, kept, and asked one thing at a time."""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from workers.training.sandbox_calls import filter_programs
from workers.training.sandboxed.protocol import EXITED, OUT_OF_TIME, REPLY, REQUEST, TOO_MUCH_OUTPUT

_START_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 1.0
_REPLY_MARGIN_S = 5.0  # the child kills a program at its own deadline; this much later the child itself is stuck
_IMPORTS = Path(__file__).resolve().parents[2]  # the folder that holds `workers`


@dataclass(frozen=True)
class Ending:
    """How a program ended: what it wrote, and in `error` why that is not all of it."""

    output: bytes = b""
    error: str = ""


class Child:
    """A running child interpreter; nothing of it is on the disk."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:  # the child's own once it is locked in
            Path(folder).chmod(0o555)
            self._process = self._start(folder)
            try:
                self.isolation: list[str] = json.loads(self._read_reply(_START_TIMEOUT_S).output)
            except (OSError, ValueError):
                self.close()
                raise

    def _start(self, folder: str) -> "subprocess.Popen[bytes]":
        filters = [calls.hex() for calls in filter_programs()]
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-s", "-S", "-P", "-B", "-m", "workers.training.sandboxed", *filters],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=folder,
            env={
                "PYTHONHASHSEED": "0",  # the same program gives the same result in every run
                "PYTHONUTF8": "1",
                "PYTHONPATH": str(_IMPORTS),
            },
            start_new_session=True,  # Ctrl-C in a terminal is for the trainer, which then ends this process
        )

    def ask(self, job: dict[str, object], *, timeout_s: float, max_output_bytes: int) -> Ending:
        """Run one program and wait for its end; raises OSError if the child died or got stuck."""
        assert self._process.stdin is not None
        data = json.dumps(job).encode()
        data = REQUEST.pack(len(data), timeout_s, max_output_bytes) + data
        while data:
            data = data[self._process.stdin.write(data) or 0 :]
        return self._read_reply(timeout_s + _REPLY_MARGIN_S, timeout_s=timeout_s, max_output_bytes=max_output_bytes)

    def close(self) -> None:
        """End the child: it ends by itself when its standard input does, and is killed if it is stuck."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _read_reply(self, wait_s: float, *, timeout_s: float = 0.0, max_output_bytes: int = 0) -> Ending:
        how, status, n_bytes = REPLY.unpack(self._read(REPLY.size, wait_s))
        output = self._read(n_bytes, wait_s)
        if how == OUT_OF_TIME:
            return Ending(output, f"ran longer than {timeout_s:g} s")
        if how == TOO_MUCH_OUTPUT:
            return Ending(output, f"wrote more than {max_output_bytes:,} bytes")
        assert how == EXITED
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return Ending(output, f"was ended by {signal.Signals(-code).name}")
        return Ending(output, f"ended with status {code}" if code else "")

    def _read(self, n_bytes: int, wait_s: float) -> bytes:
        assert self._process.stdout is not None
        data = b""
        while len(data) < n_bytes:
            if not select.select([self._process.stdout], [], [], wait_s)[0]:
                raise TimeoutError(f"the sandbox gave no answer in {wait_s} s")
            piece = os.read(self._process.stdout.fileno(), n_bytes - len(data))
            if not piece:
                raise BrokenPipeError("the sandbox ended")
            data += piece
        return data


def take_child() -> Child:
    """Take a child that is idle, or start one."""
    try:
        return _idle.pop()
    except IndexError:
        return Child()


def give_back(child: Child) -> None:
    _idle.append(child)


_idle: deque[Child] = deque()  # its methods are atomic, so threads share it without a lock


def _close() -> None:
    while _idle:
        _idle.pop().close()


atexit.register(_close)

"""Runs programs that a model wrote, and nothing else of the product does.

A program is source text that defines `f`; it is called with each input and its outputs come back. The expected outputs
never enter the sandbox: the caller compares, so a program that prints or writes a "passed" gains nothing.

Child interpreters (`sandbox_child.py`, empty environment, empty folder) are started at first use and kept, up to
AT_ONCE. Each forks a process per program, one at a time and about two milliseconds each, which has:
- limits of wall-clock and CPU time and of memory; no bytes to files, no new processes or threads, no second descriptor;
- where the machine allows it (root, or unprivileged user namespaces): no network, no view of other processes, an empty
  file system, no capabilities, and nobody's user id if we are root. `isolation()` says what was granted.

What it does not guard against: a bug in the kernel; a machine that grants no namespaces to an ordinary user, where a
program keeps that user's right to signal processes and to delete files (opening one would cost it its only descriptor,
and with it its result); learning through the time it takes. Memory is limited per program, and AT_ONCE run at a time.
To serve strangers' code, put a virtual machine around the worker.
"""

import ast
import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

AT_ONCE = min(4, os.cpu_count() or 1)  # more than cores only makes programs miss their time
_CHILD = Path(__file__).with_name("sandbox_child.py")
_MAX_SOURCE_CHARACTERS = 100_000
_START_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 1.0
_REPLY_MARGIN_S = 5.0  # the child kills a program at its own deadline; this much later the child itself is stuck


@dataclass(frozen=True)
class Program:
    """Source that defines `f`, and the inputs to call it with, one after another."""

    source: str
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class ProgramResult:
    """What `f` returned for each input (numbers, texts, booleans, None), or in `error` why there are no outputs."""

    outputs: tuple[object, ...] = ()
    error: str = ""


def run_programs(
    jobs: Sequence[Program], *, timeout_s: float = 0.5, max_memory_bytes: int = 256 * 1024 * 1024
) -> list[ProgramResult]:
    """Run each program in its own process; equal ones once, and none that does not parse."""
    results = {job: ProgramResult(error="does not parse") for job in jobs}
    wanted = [job for job in results if _parses(job.source)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = threads.map(lambda job: _run(job, timeout_s=timeout_s, max_memory_bytes=max_memory_bytes), wanted)
        results.update(zip(wanted, found, strict=True))
    return [results[job] for job in jobs]


def isolation() -> list[str]:
    """List, in words, what this machine let the sandbox give up."""
    child = _take_child()
    _idle.append(child)
    return child.isolation


class _Child:
    """The running child interpreter and the folder it was locked into."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        Path(self._folder.name).chmod(0o555)
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-s", "-S", "-P", "-B", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=self._folder.name,
            env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"},  # the same program gives the same result in every run
            start_new_session=True,  # Ctrl-C in a terminal is for the trainer, which then ends this process
        )
        hello = self._read_line(_START_TIMEOUT_S)
        self.isolation: list[str] = [str(item) for item in _as_list(hello.get("isolation"))]

    def ask(self, request: dict[str, object], timeout_s: float) -> dict[str, object]:
        """Send one request and wait for its answer; raises OSError if the child died or got stuck."""
        assert self._process.stdin is not None
        data = (json.dumps(request) + "\n").encode()
        while data:
            data = data[self._process.stdin.write(data) or 0 :]
        return self._read_line(timeout_s)

    def close(self) -> None:
        """End the child: it ends by itself when its standard input does, and is killed if it is stuck."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _read_line(self, timeout_s: float) -> dict[str, object]:
        assert self._process.stdout is not None
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self._process.stdout], [], [], timeout_s)[0]:
                raise TimeoutError(f"the sandbox gave no answer in {timeout_s} s")
            piece = os.read(self._process.stdout.fileno(), 65_536)
            if not piece:
                raise BrokenPipeError("the sandbox ended")
            line += piece
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


_idle: deque[_Child] = deque()  # its methods are atomic, so threads share it without a lock


def _run(job: Program, *, timeout_s: float, max_memory_bytes: int) -> ProgramResult:
    request: dict[str, object] = {
        "source": job.source,
        "inputs": list(job.inputs),
        "timeout_s": timeout_s,
        "max_memory_bytes": max_memory_bytes,
    }
    child = _take_child()
    try:
        answer = child.ask(request, timeout_s + _REPLY_MARGIN_S)
    except OSError:  # the program took the child down with it; the next one gets a new child
        child.close()
        return ProgramResult(error="took the sandbox down")
    _idle.append(child)
    if "outputs" not in answer:
        return ProgramResult(error=str(answer.get("error")))
    outputs = tuple(_as_list(answer["outputs"]))
    return ProgramResult(outputs) if len(outputs) == len(job.inputs) else ProgramResult(error="ended without a result")


def _take_child() -> _Child:
    try:
        return _idle.pop()
    except IndexError:
        return _Child()


def _close() -> None:
    while _idle:
        _idle.pop().close()


atexit.register(_close)


def _parses(source: str) -> bool:
    if len(source) > _MAX_SOURCE_CHARACTERS:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model's doubtful escapes are no news
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []

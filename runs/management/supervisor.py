"""Keep a few programs running: start them in order, start them again when they die, stop them in reverse order.

Each program runs in its own session, so that Ctrl-C reaches only the supervisor, which then stops them one after the
other. Where the kernel can do it (`setpriv`, on every Debian-like machine), programs also end when the supervisor
itself is killed. What this leaves out: no dependency graph, no log rotation while running, no remote control.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import psutil

from workers.stage_dir import tail

POLL_S = 0.05
LARGEST_LOG_BYTES = 10_000_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 60.0  # a program that lived this long starts again without a pause
HURRY_S = 3.0


class ProgramError(RuntimeError):
    """A program did not come up; the message is meant for a person."""


def _at_once() -> bool:
    return True


@dataclass(frozen=True)
class Program:
    """What to run, how to know that it is ready, and how to ask it to stop."""

    name: str
    command: Sequence[str | Path]
    folder: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)  # on top of the supervisor's own
    is_ready: Callable[[], bool] = _at_once
    ready_within_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 10.0
    is_store: bool = False  # stopped after all others: they may still have something to write


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    pause_s: float = FIRST_PAUSE_S
    start_again_at: float | None = None


class Supervisor:
    """The programs that run, in the order they were started."""

    def __init__(self, *, logs: Path, say: Callable[[str], None] = print) -> None:
        self._logs = logs
        self._say = say
        self._children: list[_Child] = []
        self._hurry = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, program: Program) -> None:
        """Start a program without waiting for it."""
        self._children.append(_Child(program, self._launch(program), time.monotonic()))

    def wait_until_ready(self, name: str) -> None:
        """Wait for a program that was started; raises ProgramError if it ends or takes too long."""
        child = next(child for child in self._children if child.program.name == name)
        deadline = time.monotonic() + child.program.ready_within_s
        while not child.program.is_ready():
            if child.process.poll() is not None:
                raise ProgramError(
                    f"{name} ended with {_ending(child.process.returncode)} as it started; {self._last_words(name)}"
                )
            if time.monotonic() > deadline:
                raise ProgramError(
                    f"{name} was not ready after {child.program.ready_within_s:.0f} s; {self._last_words(name)}"
                )
            time.sleep(POLL_S)

    def tend(self) -> None:
        """Start again what has died; call this a few times a second."""
        now = time.monotonic()
        for child in self._children:
            if child.process.poll() is None:
                continue
            if child.start_again_at is None:
                self._plan_start(child, now)
            if child.start_again_at is not None and child.start_again_at <= now:
                child.process, child.started_at, child.start_again_at = self._launch(child.program), now, None

    def pids(self) -> dict[str, int]:
        """Name the process of each program that is alive."""
        return {child.program.name: child.process.pid for child in self._children if child.process.poll() is None}

    def stop(self) -> None:
        """Stop everything and wait: first the programs, last started first, then the stores one by one."""
        before = [(number, signal.signal(number, self._be_quick)) for number in (signal.SIGINT, signal.SIGTERM)]
        try:
            last_first = list(reversed(self._children))
            self._stop_together([child for child in last_first if not child.program.is_store])
            for child in last_first:
                if child.program.is_store:
                    self._stop_together([child])
            self._children.clear()
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def _be_quick(self, number: int, frame: FrameType | None) -> None:
        self._hurry = True

    def _plan_start(self, child: _Child, now: float) -> None:
        if now - child.started_at > STEADY_S:
            child.pause_s = FIRST_PAUSE_S
        child.start_again_at = now + child.pause_s
        name, ending = child.program.name, _ending(child.process.returncode)
        self._say(f"{name} ended with {ending}; starting it again in {child.pause_s:g} s ({self._log(name)})")
        child.pause_s = min(2 * child.pause_s, LONGEST_PAUSE_S)

    def _launch(self, program: Program) -> subprocess.Popen[bytes]:
        log = self._log(program.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with open(log, "ab") as output:
            return subprocess.Popen(
                [*_end_with_supervisor(program.stop_signal), *map(str, program.command)],
                cwd=program.folder,
                env={**os.environ, **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _stop_together(self, children: list[_Child]) -> None:
        family = [process for child in children for process in _family(child.process.pid)]
        for child in children:
            if child.process.poll() is None:
                child.process.send_signal(child.program.stop_signal)
        asked_at = time.monotonic()
        while any(child.process.poll() is None and not self._is_overdue(child, asked_at) for child in children):
            time.sleep(POLL_S)
        for child in children:
            if child.process.poll() is None:
                child.process.kill()
            child.process.wait()
        _end_what_is_left(family)

    def _is_overdue(self, child: _Child, asked_at: float) -> bool:
        patience = HURRY_S if child.program.is_store else 0.0
        return time.monotonic() - asked_at > (patience if self._hurry else child.program.stop_within_s)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _last_words(self, name: str) -> str:
        lines = [line for line in tail(self._log(name)).splitlines() if line.strip()]
        said = lines[-1].strip() if lines else "nothing"
        return f"the last line of {self._log(name)} is: {said}"


@cache
def _can_end_with_supervisor() -> bool:
    if shutil.which("setpriv") is None:
        return False
    return subprocess.run(["setpriv", "--pdeathsig", "TERM", "true"], capture_output=True, check=False).returncode == 0  # noqa: S607


def _end_with_supervisor(number: signal.Signals) -> list[str]:
    """Ask the kernel to send this signal when the supervisor dies, however it dies."""
    return ["setpriv", "--pdeathsig", number.name.removeprefix("SIG"), "--"] if _can_end_with_supervisor() else []


def _ending(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"


def _family(pid: int) -> list[psutil.Process]:
    """List what a program started, and what those started: trainers live in process groups of their own."""
    with suppress(psutil.NoSuchProcess):
        return list(psutil.Process(pid).children(recursive=True))
    return []


def _end_what_is_left(family: list[psutil.Process]) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=HURRY_S)

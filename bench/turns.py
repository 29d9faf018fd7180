"""Two processes that take turns: each makes a step when told to, and says what the step cost.

Timings of one side after the other would compare two states of the machine; of sides in turn, step by step, their
ratio stays. CPU time is kept beside wall time, since other processes share the cores.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psutil

MARK = "turn: "  # tells our lines from what a library prints


class Turns:
    """The child's end: `wait` before each step."""

    def __init__(self) -> None:
        self.started: tuple[float, float] | None = None
        self.at_rest = psutil.Process().memory_info().rss

    def wait(self) -> None:
        """Report the step that ended, if any, and wait for the next; ends the process when there is none."""
        if self.started is not None:
            wall, cpu = self.started
            cost = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "memory": self._memory()}
            print(MARK + json.dumps(cost), flush=True)
        if not sys.stdin.readline():
            sys.stdout.flush()
            os._exit(0)  # from inside a foreign loop, which would catch an exception or save something first
        self.started = time.perf_counter(), time.process_time()

    def _memory(self) -> float:
        """Peak memory above what the imports took, in MB (10^6 bytes)."""
        peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        above: float = (peak - self.at_rest) / 1e6
        return above


def take_turns(turns: Turns, steps: Iterator[None]) -> None:
    """Make a step of an iterator at each turn."""
    while True:
        turns.wait()
        next(steps)


@dataclass
class Side:
    """The parent's end of one process; `costs` are those of its steps."""

    name: str
    process: "subprocess.Popen[str]"
    costs: list[dict[str, float]]

    @classmethod
    def start(cls, name: str, *arguments: str, settings: Mapping[str, str] = MappingProxyType({})) -> "Side":
        """Start a process; `settings` are added to its environment."""
        command = [sys.executable, "-W", "ignore", "-m", "bench.sides", name, *arguments]
        environment = {**os.environ, **settings, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        return cls(name, subprocess.Popen(command, env=environment, **pipes), [])

    def step(self) -> dict[str, float]:
        """Have the process make one step."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith(MARK):
                cost: dict[str, float] = json.loads(line.removeprefix(MARK))
                return cost
        raise RuntimeError(f"found '{self.name}' ended before its step; its errors are above")

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def median(self, what: str) -> float:
        return statistics.median(cost[what] for cost in self.costs)


def compare(sides: list[Side], n_steps: int, n_warm_up: int = 2) -> None:
    """Let the sides take turns for a number of steps, after some that do not count, and end them."""
    for number in range(n_warm_up + n_steps):
        for side in sides:
            cost = side.step()
            if number >= n_warm_up:
                side.costs.append(cost)
    for side in sides:
        side.close()


def ratio(slower: Side, faster: Side, what: str) -> float:
    """Median over turns of one side's cost over the other's in the same turn."""
    return statistics.median(a[what] / b[what] for a, b in zip(slower.costs, faster.costs, strict=True))

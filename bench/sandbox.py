"""Measure how fast the sandbox runs short programs, beside the bare interpreter that starts and runs each of them.

    python -m bench.sandbox [--programs 2000]

Both sides run the same programs on the same inputs, as many at once as the sandbox has child processes, in turns of some
hundred programs, so that whatever else the machine does meets both. The bare side is `python -I -S -B program.py`: the
fastest way that there is to start the interpreter, without `site` and without any limit. Prints the table and writes
bench/results/sandbox.md; fails where an output is wrong, or a process or a file stays behind.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from workers.training.sandbox import AT_ONCE, Program, Script, isolation, run_programs, run_tests

RESULTS = Path(__file__).resolve().parent / "results" / "sandbox.md"
Work = tuple[str, str, str]  # source, standard input, what it has to print
Side = Callable[[Sequence[Work]], list[str]]

TURN = 200  # programs a side runs before the other's turn
KINDS = (
    ("a, b = map(int, input().split())\nprint(a + b + {n})", "3 4\n", "{sum}"),
    (
        "import sys\nwords = sys.stdin.read().split()\nprint(*sorted(words), {n})",
        "pear fig apple\n",
        "apple fig pear {n}",
    ),
    (
        "n = int(input())\nprint(sum(p for p in range(2, n) if all(p % q for q in range(2, p))) + {n})",
        "60\n",
        "{primes}",
    ),
    (
        "from collections import Counter\nprint(Counter(input()).most_common(1)[0][0] * 3, {n})",
        "abracadabra\n",
        "aaa {n}",
    ),
)


def main() -> None:
    """Run all programs on both sides, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=2000)
    arguments = parser.parse_args()
    work = [_program(n) for n in range(arguments.programs)]
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # the sandbox's own, so that what it leaves is seen
        run_tests([[Script(source, stdin)] for source, stdin, _ in work[:AT_ONCE]])  # starts the children
        children = len(psutil.Process().children(recursive=True))
        sides: dict[str, Side] = {"sandbox, whole programs": _in_the_sandbox, "bare interpreter": _bare}
        costs = _measure(sides, work) | _measure({"sandbox, expressions": _expressions}, work)
        assert len(psutil.Process().children(recursive=True)) <= children, "a process stayed behind"
        assert not list(Path(folder).iterdir()), "a file stayed behind"
    RESULTS.write_text(_report(costs, len(work)))
    print(RESULTS.read_text())


def _program(n: int) -> Work:
    """Write a program unlike the others, its input, and what it has to print."""
    source, stdin, expected = KINDS[n % len(KINDS)]
    values = {"n": n, "sum": 7 + n, "primes": 440 + n}
    return source.format(n=n), stdin, expected.format(**values)


def _measure(sides: dict[str, Side], work: list[Work]) -> dict[str, list[float]]:
    """Give each side's milliseconds per program, a number per turn."""
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for number, start in enumerate(range(0, len(work), TURN)):
        turn = work[start : start + TURN]
        for name in list(sides) if number % 2 else reversed(list(sides)):
            started = time.perf_counter()
            outputs = sides[name](turn)
            costs[name].append(1000 * (time.perf_counter() - started) / len(turn))
            assert [output.strip() for output in outputs] == [expected for _, _, expected in turn]
    return costs


def _in_the_sandbox(turn: Sequence[Work]) -> list[str]:
    return [str(outcome.value) for [outcome] in run_tests([[Script(source, stdin)] for source, stdin, _ in turn])]


def _bare(turn: Sequence[Work]) -> list[str]:
    def run(number: int) -> str:
        source, stdin, _ = turn[number]
        path = Path(folder, f"{number}.py")
        path.write_text(source)
        command = [sys.executable, "-I", "-S", "-B", str(path)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(run, range(len(turn))))


def _expressions(turn: Sequence[Work]) -> list[str]:
    """Run as many expressions of the tiny cascade; their outputs are not those of the programs."""
    results = run_programs([Program(f"f = lambda x: x * {n} + 1", (1, 2, 3)) for n in range(len(turn))])
    assert not any(result.error for result in results)
    return [expected for _, _, expected in turn]


def _report(costs: dict[str, list[float]], n_programs: int) -> str:
    bare, ours = costs["bare interpreter"], costs["sandbox, whole programs"]
    ratio = statistics.median(a / b for a, b in zip(bare, ours, strict=True))
    rows = [
        f"| {name} | {1000 / statistics.mean(turns):,.0f} | {statistics.median(turns):.2f} ms |"
        for name, turns in costs.items()
    ]
    load = os.getloadavg()[0]
    return "\n".join(
        [
            "# Short programs in the sandbox",
            "",
            f"`.venv/bin/python -m bench.sandbox` on {os.cpu_count()} cores ({platform.machine()}), {AT_ONCE} programs at once, "
            f"load {load:.1f} while it ran; {n_programs:,} programs a side in turns of {TURN}, all outputs right, no process and "
            "no file left.",
            "",
            f"Isolation: {', '.join(isolation())}.",
            "",
            "| side | programs a second | median of a turn, per program |",
            "|---|---|---|",
            *rows,
            "",
            f"Rate of the sandbox over that of the bare interpreter, median over turns: **{ratio:.2f}** (at least 0.5 is wanted).",
            "The bare interpreter is `python -I -S -B`, without limits or isolation; the sandbox forks one that is there already.",
            "",
        ]
    )


if __name__ == "__main__":
    main()

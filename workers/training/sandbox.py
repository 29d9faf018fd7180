"""Runs programs that a model wrote, and nothing else of the product does.

Three kinds: expressions of the tiny cascade (`Program`: source that defines `f`, called with whole numbers), whole
programs from standard input to standard output (`Script`), and functions from JSON to JSON (`Function`).
The expected outputs never enter the sandbox: the caller compares, so a program that prints or writes a "passed" gains nothing.

Child interpreters (`sandbox_child.py`, empty environment) are started at first use and kept, up to AT_ONCE. Each forks a
process per program, one at a time and about two milliseconds each. `docs/sandbox.md` says which limits and which isolation
such a process has, which attacks were tried on it, and what it does not guard against; `isolation()` what this machine granted.
Memory is limited per program, and AT_ONCE run at a time.
"""

import ast
import json
import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workers.training.sandbox_child import Ending, give_back, take_child

AT_ONCE = min(4, os.cpu_count() or 1)  # more than cores only makes programs miss their time
_NEEDED = {  # by whole programs, any of the names in a key, and what grants them
    ("few system calls",): "libseccomp and a kernel with seccomp",
    ("own file system", "Landlock"): "user namespaces, or a kernel with Landlock (5.13 or later)",
}
_NEEDED_FOR_FILES = {("scratch folder",): "user namespaces, which a container has to let through"}
_MAX_SOURCE_CHARACTERS = 100_000
_MAX_RESULT_BYTES = 65_536
_MAX_DESCRIPTORS, _MAX_THREADS = 64, 32
_NOT_RUN = "not run: an earlier test ran out of time"


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


@dataclass(frozen=True)
class Script:
    """A whole program, what it reads, and the files (path and text) that lie in its folder."""

    source: str
    stdin: str = ""
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Function:
    """Source that defines the function `name`, or a method of that name of `Solution`, and its arguments, plain JSON."""

    source: str
    name: str
    arguments: Sequence[object]


@dataclass(frozen=True)
class Outcome:
    """What a script wrote or a function returned; in `error` why that is not all."""

    value: object = None
    error: str = ""


@dataclass(frozen=True)
class Limits:
    """What a script or a function may take; a script's output counts as one more file."""

    timeout_s: float = 5.0
    max_memory_bytes: int = 512 * 1024 * 1024
    max_output_bytes: int = 1024 * 1024
    max_file_bytes: int = 8 * 1024 * 1024


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


def run_tests(programs: Sequence[Sequence[Script | Function]], *, limits: Limits | None = None) -> list[list[Outcome]]:
    """Run each program's tests in order, each in a process of its own.

    After a test that ran out of time the rest of that program's are not run. Raises RuntimeError on a machine that
    cannot confine a whole program.
    """
    has_files = any(isinstance(test, Script) and test.files for tests in programs for test in tests)
    _demand(_NEEDED | (_NEEDED_FOR_FILES if has_files else {}))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda tests: _run_in_order(tests, limits or Limits()), programs))


def isolation() -> list[str]:
    """List, in words, what this machine let the sandbox give up."""
    child = take_child()
    give_back(child)
    return child.isolation


def _demand(needed: dict[tuple[str, ...], str]) -> None:
    """Refuse whole programs where they could open files, reach others or leave processes behind."""
    granted = isolation()
    missing = [f"'{' or '.join(names)}' ({by})" for names, by in needed.items() if not set(names) & set(granted)]
    if missing:
        raise RuntimeError(
            f"this machine granted the sandbox {granted}; these programs need {' and '.join(missing)} as well: run this "
            "worker where that is granted, or leave out the stages and benchmarks that run code (docs/sandbox.md)"
        )


def _run(job: Program, *, timeout_s: float, max_memory_bytes: int) -> ProgramResult:
    request: dict[str, object] = {
        "kind": "expressions",
        "source": job.source,
        "inputs": list(job.inputs),
        "limits": {**_limits(timeout_s, max_memory_bytes), "FSIZE": 0, "NPROC": 0, "NOFILE": 1},
    }
    ending = _ask(request, timeout_s=timeout_s, max_output_bytes=_MAX_RESULT_BYTES)
    if ending.error.startswith(("ran longer", "took")):
        return ProgramResult(error=ending.error)
    answer = _read_answer(Ending(ending.output))
    if "outputs" not in answer:
        return ProgramResult(error=str(answer["error"]))
    outputs = answer["outputs"]
    if not isinstance(outputs, list) or len(outputs) != len(job.inputs):
        return ProgramResult(error="ended without a result")
    return ProgramResult(tuple(outputs))


def _run_in_order(tests: Sequence[Script | Function], limits: Limits) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for test in tests:
        if outcomes and outcomes[-1].error.startswith(("ran longer", "not run")):
            outcomes.append(Outcome(error=_NOT_RUN))
        else:
            outcomes.append(_run_script(test, limits) if isinstance(test, Script) else _run_function(test, limits))
    return outcomes


def _run_script(job: Script, limits: Limits) -> Outcome:
    request: dict[str, object] = {"kind": "script", "source": job.source, "stdin": job.stdin, "files": dict(job.files)}
    ending = _ask_whole(request, limits)
    text = ending.output.decode(errors="replace")
    if ending.error == "ended with status 1":  # an exception's name is then the last line
        return Outcome(text, error=text.rpartition("\n")[2] or ending.error)
    return Outcome(text, error=ending.error)


def _run_function(job: Function, limits: Limits) -> Outcome:
    request: dict[str, object] = {
        "kind": "function",
        "source": job.source,
        "name": job.name,
        "arguments": list(job.arguments),
    }
    ending = _ask_whole(request, limits)
    if ending.error:
        return Outcome(error=ending.error)
    answer = _read_answer(ending)
    return Outcome(answer["value"]) if "value" in answer else Outcome(error=str(answer["error"]))


def _ask_whole(request: dict[str, object], limits: Limits) -> Ending:
    bounds = {"FSIZE": limits.max_file_bytes, "NPROC": _MAX_THREADS, "NOFILE": _MAX_DESCRIPTORS}
    request["limits"] = {**_limits(limits.timeout_s, limits.max_memory_bytes), **bounds}
    return _ask(request, timeout_s=limits.timeout_s, max_output_bytes=limits.max_output_bytes)


def _limits(timeout_s: float, max_memory_bytes: int) -> dict[str, int]:
    return {"CPU": math.ceil(timeout_s) + 1, "AS": max_memory_bytes, "CORE": 0}


def _ask(request: dict[str, object], *, timeout_s: float, max_output_bytes: int) -> Ending:
    child = take_child()
    try:
        ending = child.ask(request, timeout_s=timeout_s, max_output_bytes=max_output_bytes)
    except OSError:  # the program took the child down with it; the next one gets a new child
        child.close()
        return Ending(error="took the sandbox down")
    give_back(child)
    return ending


def _read_answer(ending: Ending) -> dict[str, object]:
    """Read the JSON that a program's process ends with; whatever a program wrote in its place has no result."""
    try:
        answer = json.loads(ending.output)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and ({"outputs", "value", "error"} & answer.keys()):
        return answer
    return {"error": ending.error or "ended without a result"}


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

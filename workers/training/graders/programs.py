"""Programs in Python: tests from standard input to standard output, or of a function from JSON to JSON.

    reference     {"inputs": ["1 2\\n", "3 4\\n"], "outputs": ["3\\n", "7\\n"], "visible": 1}
    right         ```python\\nprint(sum(map(int, input().split())))\\n```

    reference     {"function": "add", "inputs": [[1, 2], [3, 4]], "outputs": [3, 7]}
    right         def add(a, b): return a + b          (or a method `add` of a class `Solution`)

An input of a function is the list of its arguments, or a text with one JSON value a line for each. The first `visible`
tests are those that the prompt shows. `timeout_s` (5) and `memory_mb` (512) bound each test. Worth 1 if all tests pass
and 0 if not; with `credit: share`, the share that pass. Standard output is compared line by line without space at the
ends, word by word where lines differ: numbers by value, within `tolerance` (0) of each other, absolute or relative.

The last fenced block counts that is Python or says no language, or the whole answer where there is no fence. Programs run
in the sandbox, each test in a process of its own; what is expected stays outside.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workers.training.graders._code import NoCodeError, last_block
from workers.training.graders._reference import final_part, read_word, shown
from workers.training.rollouts import Grade, Problem
from workers.training.sandbox import Function, Limits, Outcome, Script, run_tests

VERSION = 1

_TAGS = ("python", "py", "python3")
_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d{0,300})?|\.\d{1,300})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_MAX_SOURCE_CHARACTERS = 100_000
_MAX_TESTS = 500


@dataclass(frozen=True)
class _Tests:
    function: str
    inputs: Sequence[object]
    outputs: Sequence[object]
    n_visible: int
    is_shared: bool
    tolerance: float
    limits: Limits


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless there are as many inputs as outputs, at least one, of the right kinds."""
    _read(reference)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Run each program's tests, all programs of equal limits together."""
    tests = [_read(problem.reference) for problem in problems]
    grades: dict[int, Grade] = {}
    sources: dict[int, str] = {}
    for number, response in enumerate(responses):
        try:
            sources[number] = _source(response)
        except NoCodeError as error:
            grades[number] = Grade(0.0, {"reason": str(error)})
    for limits in {tests[number].limits for number in sources}:
        numbers = [number for number in sources if tests[number].limits == limits]
        outcomes = run_tests([_jobs(sources[number], tests[number]) for number in numbers], limits=limits)
        for number, found in zip(numbers, outcomes, strict=True):
            grades[number] = _judge(tests[number], found)
    return [grades[number] for number in range(len(problems))]


def _read(reference: Mapping[str, object]) -> _Tests:
    function, inputs, outputs = (reference.get(name) for name in ("function", "inputs", "outputs"))
    if function is not None and not (isinstance(function, str) and function.isidentifier()):
        raise ValueError(f"function is {shown(function)}, expected the name of a function, or none for standard input")
    if not isinstance(inputs, list) or not isinstance(outputs, list) or not 0 < len(inputs) <= _MAX_TESTS:
        raise ValueError(
            f"inputs is {shown(inputs)} and outputs {shown(outputs)}, expected two lists of 1 to {_MAX_TESTS} tests"
        )
    if len(inputs) != len(outputs):
        raise ValueError(f"there are {len(inputs)} inputs and {len(outputs)} outputs, expected as many of both")
    if function is None and not all(isinstance(text, str) for text in inputs + outputs):
        raise ValueError("an input or output is no text, expected texts only; name a function to compare JSON values")
    return _Tests(
        function=str(function or ""),
        inputs=[_arguments(item) for item in inputs] if function else inputs,
        outputs=outputs,
        n_visible=int(_read_number(reference, "visible", 0, most=len(inputs))),
        is_shared=read_word(reference, "credit", ("all", "share")) == "share",
        tolerance=_read_number(reference, "tolerance", 0.0, most=1.0),
        limits=Limits(
            timeout_s=_read_number(reference, "timeout_s", 5.0, least=0.1, most=60.0),
            max_memory_bytes=int(_read_number(reference, "memory_mb", 512, least=64, most=4096)) * 1024 * 1024,
        ),
    )


def _read_number(
    reference: Mapping[str, object], name: str, default: float, *, least: float = 0.0, most: float
) -> float:
    value = reference.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is {shown(value)}, expected a number from {least:g} to {most:g}")
    return value


def _arguments(item: object) -> list[object]:
    """Read a function's arguments: a list of them, or JSON values, one a line."""
    if isinstance(item, list):
        return item
    if not isinstance(item, str):
        raise ValueError(
            f"an input is {shown(item)}, expected a list of arguments or a text with one JSON value a line"
        )
    try:
        return [json.loads(line) for line in item.splitlines() if line.strip()]
    except ValueError as error:
        raise ValueError(f"an input is {shown(item)}, expected one JSON value a line: {error}") from error


def _source(response: str) -> str:
    source = last_block(final_part(response), _TAGS)
    if len(source) > _MAX_SOURCE_CHARACTERS:
        raise NoCodeError(f"longer than {_MAX_SOURCE_CHARACTERS} characters")
    return source


def _jobs(source: str, tests: _Tests) -> list[Script | Function]:
    if not tests.function:
        return [Script(source, str(text)) for text in tests.inputs]
    return [Function(source, tests.function, item) for item in tests.inputs if isinstance(item, list)]


def _judge(tests: _Tests, outcomes: Sequence[Outcome]) -> Grade:
    faults = [
        outcome.error or ("" if _is_right(tests, outcome.value, expected) else "wrong output")
        for outcome, expected in zip(outcomes, tests.outputs, strict=True)
    ]
    passed = [not fault for fault in faults]
    parts: dict[str, float | str] = {}
    for name, share in (("visible", passed[: tests.n_visible]), ("hidden", passed[tests.n_visible :])):
        if share:
            parts[name] = sum(share) / len(share)
    if not all(passed):
        first = passed.index(False)
        parts["reason"] = f"test {first + 1} of {len(faults)}: {faults[first]}"
    return Grade(sum(passed) / len(passed) if tests.is_shared else float(all(passed)), parts)


def _is_right(tests: _Tests, found: object, expected: object) -> bool:
    if tests.function:
        return _equals(found, expected, tests.tolerance)
    return _reads_the_same(str(found), str(expected), tests.tolerance)


def _reads_the_same(found: str, expected: str, tolerance: float) -> bool:
    found_lines, expected_lines = ([line.strip() for line in text.strip().split("\n")] for text in (found, expected))
    if len(found_lines) != len(expected_lines):
        return False
    for found_line, expected_line in zip(found_lines, expected_lines, strict=True):
        words = found_line.split(), expected_line.split()
        if len(words[0]) != len(words[1]) or not all(map(_is_word, *words, [tolerance] * len(words[0]))):
            return False
    return True


def _is_word(found: str, expected: str, tolerance: float) -> bool:
    if found == expected:
        return True
    if not (_NUMBER.fullmatch(found) and _NUMBER.fullmatch(expected)):
        return False
    if found.lstrip("+-").isdecimal() and expected.lstrip("+-").isdecimal():
        return int(found) == int(expected)  # floats would take large neighbours for one
    return _is_close(float(found), float(expected), tolerance)


def _equals(found: object, expected: object, tolerance: float) -> bool:
    """Compare JSON values: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(
            _equals(a, b, tolerance) for a, b in zip(found, expected, strict=True)
        )
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_equals(found[key], expected[key], tolerance) for key in found)
    if isinstance(found, bool) or isinstance(expected, bool) or not _are_numbers(found, expected):
        return type(found) is type(expected) and found == expected
    if isinstance(found, int) and isinstance(expected, int):
        return found == expected
    return _is_close(float(found), float(expected), tolerance)  # type: ignore[arg-type]


def _are_numbers(*values: object) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _is_close(found: float, expected: float, tolerance: float) -> bool:
    return found == expected or math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)

"""Software engineering: a patch that makes failing tests of a repository pass and keeps passing ones.

    reference     {"files": {"sums.py": "def add(a, b):\\n    return a - b\\n"},
                   "tests": {"tests/test_sums.py": "from sums import add\\n\\ndef test_adds():\\n    assert add(1, 2) == 3\\n"},
                   "fail_to_pass": ["tests/test_sums.py::test_adds"], "pass_to_pass": []}

    right         ```diff\\n--- a/sums.py\\n+++ b/sums.py\\n@@ -1,2 +1,2 @@\\n def add(a, b):\\n-    return a - b\\n+    return a + b\\n```
                  sums.py\\n<<<<<<< SEARCH\\n    return a - b\\n=======\\n    return a + b\\n>>>>>>> REPLACE

The repository travels with the row: `files` are what the patch is made for, `tests` are laid over them afterwards and may
not be touched. A diff is applied by `git apply` in a scratch repository; a search text has to occur exactly once. Each
test (a function, or a method of a class, `unittest`'s or a plain one) runs in the sandbox, in a process of its own, with
the standard library alone: no pytest fixtures, no packages. `timeout_s` (10) and `memory_mb` (512) bound each test.

Worth 1 if all of both lists pass. `parts`: the share of `fail_to_pass` and of `pass_to_pass` that does, or a `reason`.
A patch that leaves the repository, goes through links, to `.git` or to the tests is refused. A test that cannot pass is
run beside the others, so that a patch that makes everything pass is worth nothing; one that forges only the tests named
can still deceive, since it runs in one process with them.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workers.training.graders._apply_patch import PatchError, apply_patch, refusal_of_path
from workers.training.graders._reference import final_part, shown
from workers.training.rollouts import Grade, Problem
from workers.training.sandbox import Limits, Outcome, Script, run_tests

VERSION = 1

_RUNNER = Path(__file__).with_name("_patched_test.py").read_text()
_MAX_FILES, _MAX_CHARACTERS = 400, 8_000_000  # the scratch folder holds 512 files and 32 MB


@dataclass(frozen=True)
class _Task:
    files: Mapping[str, str]
    tests: Mapping[str, str]
    fail_to_pass: Sequence[str]
    pass_to_pass: Sequence[str]
    limits: Limits


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless there are files, and tests in them that are to pass."""
    _read(reference)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Apply each patch, then run the tests of all that could be applied."""
    tasks = [_read(problem.reference) for problem in problems]
    grades: dict[int, Grade] = {}
    patched: dict[int, dict[str, str]] = {}
    for number, (task, response) in enumerate(zip(tasks, responses, strict=True)):
        try:
            patched[number] = apply_patch(_answer(response), files=task.files, protected=task.tests)
        except PatchError as error:
            grades[number] = Grade(0.0, {"reason": str(error)})
    for limits in {tasks[number].limits for number in patched}:
        numbers = [number for number in patched if tasks[number].limits == limits]
        words = [secrets.token_hex(16) for _ in numbers]
        jobs = [_jobs(tasks[number], patched[number], word) for number, word in zip(numbers, words, strict=True)]
        for number, word, outcomes in zip(numbers, words, run_tests(jobs, limits=limits), strict=True):
            grades[number] = _judge(tasks[number], word, outcomes)
    return [grades[number] for number in range(len(problems))]


def _read(reference: Mapping[str, object]) -> _Task:
    files, tests = _read_files(reference, "files"), _read_files(reference, "tests")
    if not files:
        raise ValueError("files is empty or missing, expected the repository's files as an object of path and text")
    if len(files | tests) > _MAX_FILES or sum(map(len, (*files.values(), *tests.values()))) > _MAX_CHARACTERS:
        raise ValueError(f"the repository is larger than {_MAX_FILES} files or {_MAX_CHARACTERS:,} characters")
    failing, passing = (_read_names(reference, name, files | tests) for name in ("fail_to_pass", "pass_to_pass"))
    if not failing:
        raise ValueError("fail_to_pass is empty or missing, expected at least one test that the patch has to make pass")
    timeout_s, memory_mb = reference.get("timeout_s", 10.0), reference.get("memory_mb", 512)
    if not isinstance(timeout_s, int | float) or not 0.1 <= timeout_s <= 300:
        raise ValueError(f"timeout_s is {shown(timeout_s)}, expected a number from 0.1 to 300")
    if not isinstance(memory_mb, int) or not 64 <= memory_mb <= 4096:
        raise ValueError(f"memory_mb is {shown(memory_mb)}, expected a whole number from 64 to 4096")
    limits = Limits(timeout_s=timeout_s, max_memory_bytes=memory_mb * 1024 * 1024)
    return _Task(files, tests, failing, passing, limits)


def _read_files(reference: Mapping[str, object], name: str) -> dict[str, str]:
    value = reference.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise ValueError(f"{name} is {shown(value)}, expected an object of path and text")
    for path in value:
        if refusal := refusal_of_path(path):
            raise ValueError(f"{name} has the path {shown(path)}, which {refusal}")
        if any(str(folder) in value for folder in PurePosixPath(path).parents):
            raise ValueError(f"{name} has the path {shown(path)}, and a folder of it is a file there as well")
    return dict(value)


def _read_names(reference: Mapping[str, object], name: str, files: Mapping[str, str]) -> list[str]:
    value = reference.get(name, [])
    if not isinstance(value, list) or not all(isinstance(test, str) for test in value):
        raise ValueError(f"{name} is {shown(value)}, expected a list of tests such as 'tests/test_sums.py::test_adds'")
    for test in value:
        path, *names = test.split("::")
        if path not in files or not 1 <= len(names) <= 2 or not all(part.isidentifier() for part in names):
            raise ValueError(
                f"{name} has {shown(test)}, expected a path of files or tests, '::', and a function or 'Class::method'"
            )
    return list(value)


def _jobs(task: _Task, patched: Mapping[str, str], word: str) -> list[Script]:
    files = tuple({**patched, **task.tests}.items())
    impossible = task.fail_to_pass[0].split("::")[0]
    return [
        Script(_RUNNER, json.dumps({"test": test, "word": word}), files)
        for test in (*task.fail_to_pass, *task.pass_to_pass, impossible)
    ]


def _judge(task: _Task, word: str, outcomes: Sequence[Outcome]) -> Grade:
    *passed, impossible = (not outcome.error and str(outcome.value).endswith("\n" + word) for outcome in outcomes)
    if impossible:
        return Grade(0.0, {"reason": "makes a test pass that cannot"})
    n_failing = len(task.fail_to_pass)
    parts: dict[str, float | str] = {"fail_to_pass": sum(passed[:n_failing]) / n_failing}
    if task.pass_to_pass:
        parts["pass_to_pass"] = sum(passed[n_failing:]) / len(task.pass_to_pass)
    if all(passed):
        return Grade(1.0, parts)
    first = passed.index(False)
    why = outcomes[first].error or "did not pass"
    return Grade(0.0, {**parts, "reason": f"{[*task.fail_to_pass, *task.pass_to_pass][first]}: {why}"})


def _answer(response: str) -> str:
    """Take what follows the thinking, with the space after it: a diff may end in an empty line of context."""
    answer = final_part(response)
    return response[response.rindex(answer) :]

"""Programs: run on tests that they never see the answers of; the last block counts, and hostile ones are worth nothing."""

import importlib

import pytest

from workers.training.rollouts import Grade, Problem

programs = importlib.import_module("workers.training.graders.programs")

ADD = {"inputs": ["1 2\n", "3 4\n", "-5 5\n"], "outputs": ["3\n", "7\n", "0\n"], "visible": 1, "timeout_s": 2}
ADD_CODE = "print(sum(map(int, input().split())))"
FUNCTION = {"function": "add", "inputs": [[1, 2], "3\n4"], "outputs": [3, 7], "timeout_s": 2}
HALF = {"inputs": ["1", "2"], "outputs": ["0.5", "1"], "tolerance": 1e-6}


def graded(reference: dict[str, object], response: str) -> Grade:
    programs.check(reference)
    grade: Grade = programs.grade([Problem("rows", "k", "a prompt", dict(reference))], [response])[0]
    return grade


@pytest.mark.parametrize(
    ("reference", "response"),
    [
        (ADD, ADD_CODE),
        (ADD, f"```python\n{ADD_CODE}\n```"),
        (ADD, f"So:\n```\n{ADD_CODE}\n```\nDone."),
        (ADD, f"```py\nprint(0)\n```\nBetter:\n```python3\n{ADD_CODE}\n```"),
        (ADD, f"```python\n{ADD_CODE}\n```\nIt prints\n```text\n3\n```"),
        (ADD, f"<think>```python\nprint(1)\n```</think>\n{ADD_CODE}"),
        (ADD, f"````python\ntext = '''\n```\n'''\n{ADD_CODE}\n````"),
        (ADD, "import sys\nif __name__ == '__main__':\n    a, b = map(int, sys.stdin.read().split())\n    print(a + b)"),
        (ADD, "import os\nos.write(1, str(sum(map(int, os.read(0, 99).split()))).encode())\nos._exit(0)"),
        (ADD, f"{ADD_CODE}\nexit()"),
        (ADD, "a, b = map(int, open(0).read().split())\nprint(f'  {a + b}.0  \\n\\n')"),
        (FUNCTION, "def add(a, b):\n    print('noise')\n    return a + b"),
        (FUNCTION, "class Solution:\n    def add(self, a, b):\n        return float(a + b)"),
        (FUNCTION, "from operator import add"),
        ({"function": "f", "inputs": [[]], "outputs": [{"a": [1, None, "x", True]}]}, "def f(): return {'a': (1, None, 'x', True)}"),
        (HALF, "print(int(input()) / 2 + 1e-9)"),
        ({"inputs": [""], "outputs": ["é ✓\n"]}, "print('é ✓')"),
        ({"inputs": [""], "outputs": [str(10**30)]}, "print(10 ** 30)"),
    ],
)  # fmt: skip
def test_right_programs(reference: dict[str, object], response: str) -> None:
    grade = graded({**reference, "timeout_s": 20}, response)
    assert grade.value == 1.0, grade.parts


@pytest.mark.parametrize(
    ("reference", "response", "reason"),
    [
        (ADD, "", "no code"),
        (ADD, "```python\n\n```", "no code"),
        (ADD, f"```python\n{ADD_CODE}", "a code block that does not end"),
        (ADD, f"```cpp\n{ADD_CODE}\n```", "no code block of python"),
        (ADD, f"<think>```python\n{ADD_CODE}\n```", "no code"),
        (ADD, "x" * 100_001, "longer than 100000 characters"),
        (ADD, "The sum of both numbers.", "test 1 of 3: SyntaxError"),
        (ADD, f"```python\n{ADD_CODE}\n```\n```python\nprint(1)\n```", "test 1 of 3: wrong output"),
        (ADD, "print(3)", "test 2 of 3: wrong output"),
        (ADD, "print(3, 7, 0)", "test 1 of 3: wrong output"),
        (ADD, f"{ADD_CODE}\nprint()\nprint(1)", "test 1 of 3: wrong output"),
        (ADD, f"{ADD_CODE}\nraise ValueError", "test 1 of 3: ValueError"),
        (ADD, f"{ADD_CODE}\nexit(3)", "test 1 of 3: ended with status 3"),
        (ADD, "while True: pass", "test 1 of 3: ran longer than 2 s"),
        (ADD, "while True: print('x' * 10 ** 5)", "test 1 of 3: wrote more than 1,048,576 bytes"),
        (ADD, "x = bytearray(10 ** 10)", "test 1 of 3: MemoryError"),
        (ADD, "import os\nwhile True: os.fork()", "test 1 of 3: PermissionError"),
        (ADD, "import gc\nprint([o['outputs'] for o in gc.get_objects() if isinstance(o, dict) and 'outputs' in o][0])", "test 1 of 3: IndexError"),
        (ADD, "print('1 passed')\nprint('{\"value\": 1}')", "test 1 of 3: wrong output"),
        (ADD, "print('３')", "test 1 of 3: wrong output"),
        (ADD, "print('\\0' + '3')", "test 1 of 3: wrong output"),
        (FUNCTION, "def sum(a, b): return a + b", "test 1 of 2: KeyError"),
        (FUNCTION, "def add(a, b): return str(a + b)", "test 1 of 2: wrong output"),
        (FUNCTION, "def add(a, b): return type('Any', (int,), {'__eq__': lambda *_: True})(9)", "test 1 of 2: wrong output"),
        (FUNCTION, "def add(a, b): return {a, b}", "test 1 of 2: TypeError"),
        (FUNCTION, "import os\ndef add(a, b):\n    os.write(3, b'{\"value\": [1e999')\n    os._exit(0)", "test 1 of 2: ended without a result"),
        ({"function": "f", "inputs": [[]], "outputs": [1]}, "def f(): return True", "test 1 of 1: wrong output"),
        ({"function": "f", "inputs": [[]], "outputs": [0.5]}, "def f(): return float('nan')", "test 1 of 1: wrong output"),
        ({"inputs": [""], "outputs": [str(10**30)]}, "print(10 ** 30 + 1)", "test 1 of 1: wrong output"),
        ({"inputs": [""], "outputs": ["1"]}, "print('1' * 10 ** 6)", "test 1 of 1: wrong output"),
    ],
)  # fmt: skip
def test_wrong_and_hostile_programs(reference: dict[str, object], response: str, reason: str) -> None:
    grade = graded(reference, response)
    assert grade.value == 0.0
    assert grade.parts["reason"] == reason


def test_visible_and_hidden_shares_are_told_apart() -> None:
    grade = graded(ADD, "print(3 if input() == '1 2' else 0)")
    assert grade.parts == {"visible": 1.0, "hidden": 0.5, "reason": "test 2 of 3: wrong output"}
    assert graded({**ADD, "credit": "share"}, "print(3 if input() == '1 2' else 0)").value == pytest.approx(2 / 3)


def test_a_batch_keeps_its_order() -> None:
    rows = [ADD, FUNCTION, HALF, ADD]
    problems = [Problem("rows", str(number), "a prompt", row) for number, row in enumerate(rows)]
    grades = programs.grade(problems, ["print(1)", "def add(a, b): return a + b", "print(0.5)", ADD_CODE])
    assert [grade.value for grade in grades] == [0.0, 1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ({}, "inputs is None"),
        ({"inputs": [], "outputs": []}, "expected two lists of 1 to 500 tests"),
        ({"inputs": ["1"], "outputs": []}, "1 inputs and 0 outputs"),
        ({"inputs": [1], "outputs": ["1"]}, "no text"),
        ({"inputs": ["1"], "outputs": ["1"], "function": "a b"}, "name of a function"),
        ({"inputs": [1], "outputs": ["1"], "function": "f"}, "expected a list of arguments"),
        ({"inputs": ["{"], "outputs": ["1"], "function": "f"}, "expected one JSON value a line"),
        ({"inputs": ["1"], "outputs": ["1"], "visible": 2}, "visible is 2, expected a number from 0 to 1"),
        ({"inputs": ["1"], "outputs": ["1"], "timeout_s": True}, "timeout_s is True"),
        ({"inputs": ["1"], "outputs": ["1"], "credit": "half"}, "credit is 'half'"),
    ],
)
def test_a_row_that_cannot_be_graded_says_why(reference: dict[str, object], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        programs.check(reference)

"""Grading in processes of its own: an answer that hangs or kills its grader costs itself alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.training import hostile_graders
from tests.training.hostile_graders import PROBLEM
from workers.training import grade_apart
from workers.training.grade_apart import FAILED, count_failures, start_grading
from workers.training.rollouts import Problem

LIMIT_S = 2.0


@pytest.fixture
def obeying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grade_apart, "_grade", hostile_graders.grade)


def test_grades_come_in_order_from_other_processes() -> None:
    responses = ["B" if n % 3 else "A" for n in range(100)]
    grades = grade_apart.grade_apart("choice", [PROBLEM] * 100, responses)
    assert [grade.value for grade in grades] == [float(response == "B") for response in responses]
    assert count_failures(grades) == 0


def test_nothing_to_grade_is_no_grades() -> None:
    assert grade_apart.grade_apart("choice", [], []) == []


def test_the_caller_goes_on_while_it_is_graded(obeying: None) -> None:
    before = time.monotonic()
    grading = start_grading("choice", [PROBLEM], ["hang"], limit_s=LIMIT_S)
    assert time.monotonic() - before < LIMIT_S / 2
    assert count_failures(grading.finish()) == 1


def test_a_grader_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"grader is 'math', expected one of: .*maths"):
        grade_apart.grade_apart("math", [PROBLEM], ["B"])


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("hang", "took longer than 2 s"),
        ("be deaf", "took longer than 2 s"),
        ("exit", "its process ended with code 7"),
        ("crash", "its process ended with code -11"),
        ("raise", "KeyError: 'a fault of ours'"),
        ("eat", "MemoryError"),
        ("recurse", "RecursionError"),
        ("give nonsense", "its process ended with code 1"),
    ],
)
def test_a_failure_is_a_0_of_its_own_answer_and_counted(obeying: None, response: str, reason: str) -> None:
    responses = ["fine"] * 5 + [response] + ["fine"] * 14  # in one chunk with others, and another chunk behind it
    grades = grade_apart.grade_apart("choice", [PROBLEM] * 20, responses, limit_s=LIMIT_S)
    assert [grade.value for grade in grades] == [1.0] * 5 + [0.0] + [1.0] * 14
    assert str(grades[5].parts["reason"]).startswith(reason)
    assert count_failures(grades) == grades[5].parts[FAILED] == 1
    assert os.getpid() not in {grade.parts.get("pid") for grade in grades}


def test_many_failures_leave_as_many_workers_as_before(obeying: None) -> None:
    grades = grade_apart.grade_apart("choice", [PROBLEM] * 12, ["exit", "crash"] * 6, limit_s=LIMIT_S)
    assert count_failures(grades) == 12
    grades = grade_apart.grade_apart("choice", [PROBLEM] * 200, ["fine"] * 200, limit_s=LIMIT_S)
    assert {grade.value for grade in grades} == {1.0}
    assert len({grade.parts["pid"] for grade in grades}) <= (os.cpu_count() or 1)


def test_an_endless_simplification_ends() -> None:
    endless = "\\boxed{\\int_0^1 x^{x^{x}} dx + \\int_0^1 \\sin(x^{x^x}) dx + \\int_0^1 \\cos(x^{x^{x^x}}) dx}"
    problems = [Problem("rows", "k", "a prompt", {"answer": "1"})] * 3
    grades = grade_apart.grade_apart("maths", problems, ["\\boxed{1}", endless, "1"], limit_s=LIMIT_S)
    assert [grade.value for grade in grades] == [1.0, 0.0, 1.0]
    assert count_failures(grades) == 1


@pytest.mark.parametrize("settled_for_s", [0.0, 3.0])
def test_workers_end_with_a_trainer_that_is_killed(settled_for_s: float) -> None:
    program = [sys.executable, "-m", "tests.training.hostile_graders"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(program, cwd=root, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout is not None
        assert trainer.stdout.readline() == "started\n"
        deadline = time.monotonic() + 60
        others: list[psutil.Process] = []
        while len(others) < 3 and time.monotonic() < deadline:  # a tracker of resources, the fork server, a worker
            time.sleep(0.1)
            others = psutil.Process(trainer.pid).children(recursive=True)
        time.sleep(settled_for_s)
        others = psutil.Process(trainer.pid).children(recursive=True)
        assert len(others) >= 3
        trainer.kill()
    _, alive = psutil.wait_procs(others, timeout=20)
    assert not alive

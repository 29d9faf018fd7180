"""Software engineering: a patch, applied and tested."""

import random

import pytest

from workers.training.domains import engineering
from workers.training.domains._expressions import values_of
from workers.training.rollouts import Grade, Problem

INPUTS = [1, 2, 3, 4, 5, 7]
PASSED = Grade(1.0, {"visible": 1.0, "hidden": 1.0})


def problem(broken: str, solution: str) -> Problem:
    outputs = values_of(solution, INPUTS)
    return Problem(
        "engineering",
        "k",
        f"fix {broken}",
        {"broken": broken, "solution": solution, "inputs": INPUTS, "outputs": outputs},
    )


@pytest.mark.parametrize("response", ["->+", "-7>+7", "x-7>7+x"])
def test_any_patch_that_repairs_the_program_passes(response: str) -> None:
    assert engineering.grade([problem("x-7", "x+7")], [response]) == [PASSED]


def test_the_search_text_must_occur_exactly_once() -> None:
    graded = engineering.grade([problem("x*2+2", "x*3+2")] * 3, ["2>3", "*2>*3", "9>3"])
    assert graded[0] == Grade(0.0, {"reason": "search text occurs 2 times"})
    assert graded[1] == PASSED
    assert graded[2] == Grade(0.0, {"reason": "search text occurs 0 times"})


@pytest.mark.parametrize("response", ["", "x+7", ">+", "sure x"])
def test_what_is_no_patch_is_0_with_a_reason(response: str) -> None:
    assert engineering.grade([problem("x-7", "x+7")], [response])[0] == Grade(0.0, {"reason": "no search>replace"})


def test_a_patch_that_breaks_the_program_is_0_with_a_reason() -> None:
    assert engineering.grade([problem("x-7", "x+7")], ["x>)"])[0] == Grade(0.0, {"reason": "not an expression"})


def test_passing_the_visible_tests_alone_is_not_enough() -> None:
    patched = "x->{1:8,2:9,3:10}.get(x,0)-0*"
    assert engineering.grade([problem("x-7", "x+7")], [patched])[0] == Grade(0.0, {"visible": 1.0, "hidden": 0.0})


def test_the_broken_program_fails_a_visible_test() -> None:
    rng = random.Random(0)
    for _ in range(300):
        made = engineering.make_problem(rng)
        broken, outputs = made.reference["broken"], made.reference["outputs"]
        assert isinstance(broken, str)
        assert isinstance(outputs, list)
        visible = [int(test.split(">")[0]) for test in made.prompt.split(":")[1].split(",")]
        assert values_of(broken, visible) != outputs[:3]

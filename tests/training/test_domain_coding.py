"""Code: an expression, executed on visible and hidden inputs."""

import random

import pytest

from workers.training.domains import coding
from workers.training.rollouts import Grade, Problem

PROBLEM = Problem(
    "coding",
    "k",
    "fn 1>3,2>5,3>7",
    {"solution": "x*2+1", "inputs": [1, 2, 3, 4, 5, 8], "outputs": [3, 5, 7, 9, 11, 17]},
)


@pytest.mark.parametrize("response", ["x*2+1", "1+x+x", "x + x + 1 # twice and one", "sum([x, x, 1])"])
def test_any_expression_of_the_function_passes(response: str) -> None:
    assert coding.grade([PROBLEM], [response]) == [Grade(1.0, {"visible": 1.0, "hidden": 1.0})]


def test_learning_the_examples_by_heart_fails_the_hidden_inputs() -> None:
    grade = coding.grade([PROBLEM], ["{1:3,2:5,3:7}.get(x,0)"])[0]
    assert grade == Grade(0.0, {"visible": 1.0, "hidden": 0.0})


def test_a_wrong_function_shows_its_share() -> None:
    assert coding.grade([PROBLEM], ["x+2"])[0] == Grade(0.0, {"visible": 0.333, "hidden": 0.0})


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("y=x*2+1", "not an expression"),
        ("", "not an expression"),
        ("x*", "not an expression"),
        ("(" * 5000, "not an expression"),
        ("x*2+1)\nimport os\n(x", "not an expression"),
        ("y", "NameError"),
        ("x/0", "ZeroDivisionError"),
        ("9**9**9", "ran longer than 0.5 s"),
        ("exit()", "NameError"),
    ],
)
def test_anything_else_is_0_with_a_reason(response: str, reason: str) -> None:
    assert coding.grade([PROBLEM], [response])[0] == Grade(0.0, {"reason": reason})


def test_values_of_another_type_are_wrong() -> None:
    assert coding.grade([PROBLEM], ["x*2.0+1"])[0].value == 0.0


def test_a_batch_keeps_its_order() -> None:
    graded = coding.grade([PROBLEM] * 4, ["x*", "x*2+1", "x", "x+x+1"])
    assert [grade.value for grade in graded] == [0.0, 1.0, 0.0, 1.0]


def test_examples_and_hidden_inputs_differ() -> None:
    rng = random.Random(0)
    for _ in range(300):
        inputs = coding.make_problem(rng).reference["inputs"]
        assert isinstance(inputs, list)
        assert len(set(inputs)) == 6

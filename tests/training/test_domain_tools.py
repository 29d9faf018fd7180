"""Tool calling: JSON, parsed and compared."""

import random

import pytest

from workers.training.domains import tools
from workers.training.rollouts import Grade, Problem

PROBLEM = Problem("tools", "k", "sub 1 from 6", {"f": "sub", "a": 6, "b": 1})
RIGHT: dict[str, float | str] = {"f": 1.0, "a": 1.0, "b": 1.0}


def test_the_call_is_right_whatever_its_spaces_and_order() -> None:
    responses = ['{"f":"sub","a":6,"b":1}', '{ "b": 1, "a": 6, "f": "sub" }']
    assert tools.grade([PROBLEM] * 2, responses) == [Grade(1.0, RIGHT)] * 2


def test_swapped_arguments_are_wrong_and_named() -> None:
    assert tools.grade([PROBLEM], ['{"f":"sub","a":1,"b":6}'])[0] == Grade(0.0, {"f": 1.0, "a": 0.0, "b": 0.0})


def test_true_is_not_the_number_one() -> None:
    assert tools.grade([PROBLEM], ['{"f":"sub","a":6,"b":true}'])[0].value == 0.0
    assert tools.grade([PROBLEM], ['{"f":"sub","a":6.0,"b":1}'])[0].value == 0.0


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("sub(6,1)", "not JSON"),
        ("", "not JSON"),
        ("[" * 5000, "not JSON"),
        ("[6,1]", "not a JSON object"),
        ('{"f":"sub","a":6,"b":1,"c":0}', "keys that the function does not take"),
    ],
)
def test_anything_else_is_0_with_a_reason(response: str, reason: str) -> None:
    grade = tools.grade([PROBLEM], [response])[0]
    assert grade.value == 0.0
    assert grade.parts["reason"] == reason


def test_the_call_computes_what_the_prompt_asks() -> None:
    rng = random.Random(0)
    for _ in range(300):
        problem = tools.make_problem(rng)
        words = problem.prompt.replace("please ", "").replace("now ", "").split(" ")
        numbers = [int(word) for word in words if word.isdigit()]
        if "from" in words:
            numbers.reverse()
        assert [problem.reference["a"], problem.reference["b"]] == numbers

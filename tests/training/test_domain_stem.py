"""STEM multiple choice: the letter counts."""

import random

import pytest

from workers.training.domains import stem
from workers.training.rollouts import Grade, Problem

PROBLEM = Problem("stem", "k", "4+2?A6B2C3D8", {"value": 6, "letter": "A"})


def test_value_and_letter_or_the_bare_letter_are_right() -> None:
    assert stem.grade([PROBLEM, PROBLEM], ["6;A", "A"]) == [
        Grade(1.0, {"letter": 1.0, "value": 1.0}),
        Grade(1.0, {"letter": 1.0}),
    ]


def test_the_letter_decides_and_parts_tell_of_the_value() -> None:
    assert stem.grade([PROBLEM], ["2;A"])[0] == Grade(1.0, {"letter": 1.0, "value": 0.0})
    assert stem.grade([PROBLEM], ["6;B"])[0] == Grade(0.0, {"letter": 0.0, "value": 1.0})


@pytest.mark.parametrize("response", ["", "6", "6A", "A;6", "ABCD", "sure A", "A\n", "E", '{"ans":"6;A"}'])
def test_anything_else_is_0_with_a_reason(response: str) -> None:
    assert stem.grade([PROBLEM], [response])[0] == Grade(0.0, {"reason": "neither 'letter' nor 'value;letter'"})


def test_exactly_one_choice_is_right() -> None:
    rng = random.Random(0)
    for _ in range(500):
        problem = stem.make_problem(rng)
        question, choices = problem.prompt.split("?")
        values = [int(choices[position]) for position in (1, 3, 5, 7)]
        expected = {"max": max, "min": min}[question](values) if question in ("max", "min") else _calculate(question)
        assert values.count(expected) == 1
        assert "ABCD"[values.index(expected)] == problem.reference["letter"]


def _calculate(question: str) -> int:
    left, right = int(question[0]), int(question[2])
    return left + right if question[1] == "+" else left - right

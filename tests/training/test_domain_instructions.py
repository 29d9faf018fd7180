"""Instruction following: constraints checked by rule."""

import pytest

from workers.training.domains import instructions
from workers.training.rollouts import Problem


def problem(prompt: str) -> Problem:
    constraints, text = prompt.split(":")
    return Problem("instructions", prompt, prompt, {"text": text, "constraints": constraints.split(" ")})


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("upper repeat3:gd", "GDGDGD"),
        ("start! end!:chha", "!chha!"),
        ("reverse:abcd", "dcba"),
        ("repeat2 reverse:ab", "baba"),
        ("end! upper:ab", "AB!"),
        ("repeat2:aa", "aaaa"),
    ],
)
def test_following_every_constraint_is_worth_1(prompt: str, response: str) -> None:
    assert instructions.grade([problem(prompt)], [response])[0].value == 1.0


@pytest.mark.parametrize(
    ("prompt", "response", "broken"),
    [
        ("upper repeat3:gd", "gdgdgd", "upper"),
        ("upper repeat3:gd", "GDGD", "repeat"),
        ("upper repeat3:gd", "", "repeat"),
        ("start! end!:ab", "!ab", "end"),
        ("start!:ab", "ab", "start"),
        ("start!:ab", "!!ab", "text"),
        ("reverse:abcd", "abcd", "reverse"),
        ("reverse:ab", "BA", "case"),
        ("upper:ab", "AC", "text"),
        ("upper:ab", '{"ans":"AB"}', "text"),
        ("upper:ab", "sure AB", "upper"),
    ],
)
def test_a_broken_constraint_is_worth_0_and_named(prompt: str, response: str, broken: str) -> None:
    grade = instructions.grade([problem(prompt)], [response])[0]
    assert grade.value == 0.0
    assert grade.parts[broken] == 0.0


def test_a_malformed_problem_raises() -> None:
    with pytest.raises(ValueError, match="expected a text"):
        instructions.grade([Problem("instructions", "k", "upper:ab", {})], ["AB"])

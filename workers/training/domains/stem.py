"""STEM: a small calculation with four choices.

    prompt        4+2?A6B2C3D8        max?A4B8C6D9
    target        6;A                 9;D
    alternative   A (the bare letter, which the grader takes as well)

Kinds are a+b, a-b, max and min, with one-digit values and four different choices. The grader wants
`letter` or `value;letter` and nothing else, and judges the letter, as multiple choice does; `parts` says whether the
value was right too: {"letter": 1.0, "value": 0.0}.
"""

import random
import re
from collections.abc import Sequence

from workers.training.domains._common import new_problem, read_number, read_text, restyle
from workers.training.rollouts import Grade, Problem

VERSION = 1

_LETTERS = "ABCD"
_ANSWER = re.compile(r"(?:([0-9]);)?([A-D])")


def make_problem(rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Make a question with four choices, one of them right."""
    kind = rng.choice(("+", "-", "max", "min"))
    if kind in ("max", "min"):
        choices = rng.sample(range(10), 4)
        question, value = kind, max(choices) if kind == "max" else min(choices)
    else:
        question, value = _calculation(kind, rng)
        choices = [value, *rng.sample([other for other in range(10) if other != value], 3)]
        rng.shuffle(choices)
    prompt = f"{question}?" + "".join(f"{letter}{choice}" for letter, choice in zip(_LETTERS, choices, strict=True))
    return new_problem("stem", prompt, {"value": value, "letter": _LETTERS[choices.index(value)]})


def demonstrate(problem: Problem, rng: random.Random, *, style_noise: float) -> str:
    """Answer value and letter; the alternative style is the bare letter."""
    letter = read_text(problem, "letter")
    return restyle(f"{read_number(problem, 'value')};{letter}", letter, rng, style_noise=style_noise)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Judge the letter of a well-formed answer."""
    return [_grade(problem, response) for problem, response in zip(problems, responses, strict=True)]


def _calculation(kind: str, rng: random.Random) -> tuple[str, int]:
    """Make a sum or a difference whose value is one digit."""
    low, high = sorted((rng.randint(0, 9), rng.randint(0, 9)))
    return (f"{low}+{high - low}", high) if kind == "+" else (f"{high}-{low}", high - low)


def _grade(problem: Problem, response: str) -> Grade:
    letter, value = read_text(problem, "letter"), read_number(problem, "value")
    match = _ANSWER.fullmatch(response)
    if match is None:
        return Grade(0.0, {"reason": "neither 'letter' nor 'value;letter'"})
    right = float(match[2] == letter)
    if match[1] is None:
        return Grade(right, {"letter": right})
    return Grade(right, {"letter": right, "value": float(int(match[1]) == value)})

"""Instruction following: write a text under one or two constraints, all checked by rule.

    prompt        upper repeat3:gd        start! end!:cha         reverse:abc
    target        GDGDGD                  !cha!                   cba
    alternative   "GDGDGD" (in quotes)

The constraints are upper, reverse, repeat2, repeat3, start! and end!. They commute (the marks go outside), so there is
one right answer whatever their order. The grader checks each by its own rule and gives 1 only if all hold; `parts`
names them: {"upper": 1.0, "repeat": 0.0, "text": 1.0}.
"""

import random
from collections.abc import Sequence

from workers.training.domains._common import new_problem, read_text, read_texts, restyle
from workers.training.rollouts import Grade, Problem

VERSION = 1

_LETTERS = "abcdefgh"
_MARK = "!"


def make_problem(rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Make a text of 2 or 3 letters with one or two constraints."""
    text = "".join(rng.choice(_LETTERS) for _ in range(rng.randint(2, 3)))
    kinds = ["upper", "reverse", rng.choice(("repeat2", "repeat3")), "start!", "end!"]
    constraints = rng.sample(kinds, rng.randint(1, 2))
    return new_problem("instructions", f"{' '.join(constraints)}:{text}", {"text": text, "constraints": constraints})


def demonstrate(problem: Problem, rng: random.Random, *, style_noise: float) -> str:
    """Follow the constraints; the alternative style puts the answer in quotes."""
    target = _follow(read_text(problem, "text"), read_texts(problem, "constraints"))
    return restyle(target, f'"{target}"', rng, style_noise=style_noise)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Check every constraint; 1 only if all hold and the text is there and nothing else."""
    return [_grade(problem, response) for problem, response in zip(problems, responses, strict=True)]


def _follow(text: str, constraints: list[str]) -> str:
    answer = text[::-1] if "reverse" in constraints else text
    answer *= _times(constraints)
    answer = answer.upper() if "upper" in constraints else answer
    return _MARK * ("start!" in constraints) + answer + _MARK * ("end!" in constraints)


def _times(constraints: list[str]) -> int:
    return next((int(name[-1]) for name in constraints if name.startswith("repeat")), 1)


def _grade(problem: Problem, response: str) -> Grade:
    text, constraints = read_text(problem, "text"), read_texts(problem, "constraints")
    parts: dict[str, float | str] = {}
    body = response
    if "start!" in constraints:
        parts["start"] = float(body.startswith(_MARK))
        body = body.removeprefix(_MARK)
    if "end!" in constraints:
        parts["end"] = float(body.endswith(_MARK))
        body = body.removesuffix(_MARK)
    times = _times(constraints)
    unit = body[: len(body) // times]
    if times > 1:
        parts["repeat"] = float(bool(unit) and unit * times == body)
    parts["upper" if "upper" in constraints else "case"] = float(
        body == (body.upper() if "upper" in constraints else body.lower())
    )
    if "reverse" in constraints:
        parts["reverse"] = float(unit.lower() == text[::-1])
    parts["text"] = float(sorted(unit.lower()) == sorted(text) if "reverse" in constraints else unit.lower() == text)
    return Grade(float(all(parts.values())), parts)

"""Tool calling: put a request into a call of a function, as JSON.

    prompt        please 7 plus 9                  sub 7 from 6
    target        {"f":"add","a":7,"b":9}          {"f":"sub","a":6,"b":7}
    alternative   add(7,9)                         sub(6,7)

The functions are add, sub and mul. "sub 7 from 6" swaps its arguments. The grader parses the JSON and compares the
whole object; `parts` says what was right: {"f": 1.0, "a": 0.0, "b": 0.0}, or {"reason": "not JSON"}.
"""

import json
import random
from collections.abc import Sequence

from workers.training.domains._common import new_problem, read_number, read_text, restyle
from workers.training.rollouts import Grade, Problem

VERSION = 1

_PHRASES = (
    ("add", "{a} plus {b}"),
    ("add", "add {a} and {b}"),
    ("sub", "{a} minus {b}"),
    ("sub", "sub {b} from {a}"),
    ("mul", "{a} times {b}"),
    ("mul", "mul {a} by {b}"),
)
_OPENINGS = ("", "please ", "now ")


def make_problem(rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Make a request for one function with two one-digit arguments."""
    (function, phrase), a, b = rng.choice(_PHRASES), rng.randint(0, 9), rng.randint(0, 9)
    prompt = rng.choice(_OPENINGS) + phrase.format(a=a, b=b)
    return new_problem("tools", prompt, {"f": function, "a": a, "b": b})


def demonstrate(problem: Problem, rng: random.Random, *, style_noise: float) -> str:
    """Call the function as JSON; the alternative style is the call as a program would write it."""
    call = _call(problem)
    return restyle(
        json.dumps(call, separators=(",", ":")), f"{call['f']}({call['a']},{call['b']})", rng, style_noise=style_noise
    )


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Parse and compare; 1 only for the whole call and no other key."""
    return [_grade(problem, response) for problem, response in zip(problems, responses, strict=True)]


def _call(problem: Problem) -> dict[str, str | int]:
    return {"f": read_text(problem, "f"), "a": read_number(problem, "a"), "b": read_number(problem, "b")}


def _grade(problem: Problem, response: str) -> Grade:
    expected = _call(problem)
    try:
        found = json.loads(response)
    except (ValueError, RecursionError):
        return Grade(0.0, {"reason": "not JSON"})
    if not isinstance(found, dict):
        return Grade(0.0, {"reason": "not a JSON object"})
    parts: dict[str, float | str] = {name: float(_is_same(found.get(name), value)) for name, value in expected.items()}
    if found.keys() - expected.keys():
        return Grade(0.0, {**parts, "reason": "keys that the function does not take"})
    return Grade(float(all(parts.values())), parts)


def _is_same(found: object, expected: str | int) -> bool:
    """Compare with the type, since true equals 1 and 1.0 equals 1 in Python but not in a function's signature."""
    return type(found) is type(expected) and found == expected

"""Structured output: put key-value pairs into a format, keys in order.

    prompt        json h2 g5           csv f4 a5        list e6 a5
    target        {"g":5,"h":2}        a,f|5,4          (a=5 e=6)
    alternative   g:5 h:2              a:5 f:4          a:5 e:6

Two pairs with different keys. The grader parses the answer in the format asked for and wants every pair, no
other, and the keys in alphabetical order; `parts` says which: {"parsed": 1.0, "values": 1.0, "order": 0.0}.
"""

import json
import random
import re
from collections.abc import Sequence

from workers.training.domains._common import new_problem, read_text, restyle
from workers.training.rollouts import Grade, Problem

VERSION = 1

Pairs = list[tuple[str, int]]

_KEYS = "abcdefgh"
_FORMATS = ("json", "csv", "list")
_CSV = re.compile(r"([a-z](?:,[a-z])*)\|([0-9](?:,[0-9])*)")
_LIST = re.compile(r"\(([a-z]=[0-9](?: [a-z]=[0-9])*)\)")


def make_problem(rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Make two pairs, in any order, and a format."""
    form, keys = rng.choice(_FORMATS), rng.sample(_KEYS, 2)
    pairs = " ".join(f"{key}{rng.randint(0, 9)}" for key in keys)
    return new_problem("structure", f"{form} {pairs}", {"format": form, "pairs": pairs})


def demonstrate(problem: Problem, rng: random.Random, *, style_noise: float) -> str:
    """Write the pairs in the format; the alternative style is a format that nobody asked for."""
    pairs = sorted(_pairs(problem))
    alternative = " ".join(f"{key}:{value}" for key, value in pairs)
    return restyle(_write(read_text(problem, "format"), pairs), alternative, rng, style_noise=style_noise)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Parse the format asked for, then compare values and order."""
    return [_grade(problem, response) for problem, response in zip(problems, responses, strict=True)]


def _pairs(problem: Problem) -> Pairs:
    return [(pair[0], int(pair[1:])) for pair in read_text(problem, "pairs").split(" ")]


def _write(form: str, pairs: Pairs) -> str:
    if form == "json":
        return json.dumps(dict(pairs), separators=(",", ":"))
    if form == "csv":
        return ",".join(key for key, _ in pairs) + "|" + ",".join(str(value) for _, value in pairs)
    return "(" + " ".join(f"{key}={value}" for key, value in pairs) + ")"


def _grade(problem: Problem, response: str) -> Grade:
    form, expected = read_text(problem, "format"), sorted(_pairs(problem))
    if form not in _FORMATS:
        raise ValueError(f"problem '{problem.prompt}' has format '{form}', expected one of: {', '.join(_FORMATS)}")
    found = {"json": _parse_json, "csv": _parse_csv, "list": _parse_list}[form](response)
    if found is None:
        return Grade(0.0, {"parsed": 0.0, "reason": f"not {form}"})
    values, order = (
        float(sorted(found) == expected),
        float([key for key, _ in found] == sorted(key for key, _ in found)),
    )
    return Grade(values * order, {"parsed": 1.0, "values": values, "order": order})


def _parse_json(text: str) -> Pairs | None:
    try:
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)  # a repeated key must not hide
    except (ValueError, RecursionError):
        return None
    is_object = text.startswith("{") and isinstance(pairs, list)
    return list(pairs) if is_object and all(type(value) is int for _, value in pairs) else None


def _parse_csv(text: str) -> Pairs | None:
    match = _CSV.fullmatch(text)
    if match is None:
        return None
    keys, values = match[1].split(","), match[2].split(",")
    return [(key, int(value)) for key, value in zip(keys, values, strict=True)] if len(keys) == len(values) else None


def _parse_list(text: str) -> Pairs | None:
    match = _LIST.fullmatch(text)
    return [(pair[0], int(pair[2:])) for pair in match[1].split(" ")] if match else None

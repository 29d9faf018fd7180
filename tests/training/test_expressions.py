"""Mere arithmetic is computed in place, to what Python gives; any other code goes to the sandbox."""

import ast
import random

import pytest

from workers.training.domains import _expressions
from workers.training.domains._expressions import LONGEST_ARITHMETIC, grade_expressions, is_arithmetic

INPUTS = (0, 1, 7)


def parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def random_arithmetic(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(["x", str(rng.randint(0, 99))])
    left, right = (random_arithmetic(rng, depth - 1) for _ in range(2))
    return rng.choice([f"{left}{rng.choice('+-*')}{right}", f"({left})*{right}", f"-{left}", f"+({left})"])


def test_arithmetic_gives_what_python_gives(monkeypatch):
    monkeypatch.setattr(_expressions, "run_programs", lambda programs: [] if not programs else pytest.fail("a process"))
    rng = random.Random(1)
    texts = [random_arithmetic(rng, 4) for _ in range(500)]
    expected = [[eval(text, {"x": x}) for x in INPUTS] for text in texts]
    grades = grade_expressions(texts, inputs=[INPUTS] * 500, expected=expected)
    assert [grade.value for grade in grades] == [1.0] * 500
    off = [[value + 1 for value in values] for values in expected]
    assert not any(grade.value for grade in grade_expressions(texts, inputs=[INPUTS] * 500, expected=off))


def test_it_grades_as_the_sandbox_does(monkeypatch):
    texts = ["x*2+1", "-x+3", "x*(x-1)", "007", "x*", "1_0+x", "y", "x+x # twice"]
    wanted = [[2 * x + 1 for x in INPUTS]] * len(texts)
    in_place = grade_expressions(texts, inputs=[INPUTS] * len(texts), expected=wanted)
    monkeypatch.setattr(_expressions, "LONGEST_ARITHMETIC", 0)
    assert grade_expressions(texts, inputs=[INPUTS] * len(texts), expected=wanted) == in_place


@pytest.mark.parametrize(
    "text",
    ["x**9", "x//2", "x/1", "~x", "True", "1.5", "1j", "'a'*9", "y", "abs(x)", "x.real", "x if x else 1", "(x, 1)", "x<1",
     "[x][0]", "(x:=1)", "not x", "lambda: x", "f'{x}'", "x@x", "x|1"],
)  # fmt: skip
def test_all_else_goes_to_the_sandbox(text):
    assert not is_arithmetic(parsed(text))
    assert not is_arithmetic(parsed(f"x+({text})"))


def test_long_arithmetic_goes_to_the_sandbox(monkeypatch):
    sent = []
    monkeypatch.setattr(_expressions, "run_programs", lambda programs: sent.extend(programs) or [])
    long = "+".join(["x"] * LONGEST_ARITHMETIC)
    with pytest.raises(ValueError, match="shorter"):
        grade_expressions([long], inputs=[INPUTS], expected=[[0, 0, 0]])
    assert len(sent) == 1

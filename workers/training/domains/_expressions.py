"""The small arithmetic that the code domains are about: expressions in x, and running what a model wrote for one."""

import ast
import operator
import random
import warnings
from collections.abc import Callable, Sequence

from workers.training.rollouts import Grade
from workers.training.sandbox import Program, ProgramResult, run_programs

LONGEST_ARITHMETIC = 200  # characters: keeps numbers and the depth of a tree small
N_VISIBLE = 3  # of a problem's inputs, the first three are shown in its prompt

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def random_expression(rng: random.Random) -> str:
    """Make an expression of one of six families; few constants, because a tiny model learns their tables by heart."""
    a, c = rng.randint(2, 4), rng.randint(1, 5)
    return rng.choice((f"x+{c}", f"x*{a}+{c}", f"x*{a}-{c}", f"x*x+{c}", f"x*x-{c}", f"{rng.randint(1, 9)}-x"))


def values_of(expression: str, inputs: Sequence[int]) -> list[int]:
    """Evaluate our own expression of x, whole numbers and + - *."""
    tree = ast.parse(expression, mode="eval").body
    return [_value(tree, x) for x in inputs]


def grade_expressions(
    expressions: Sequence[str], *, inputs: Sequence[Sequence[int]], expected: Sequence[Sequence[int]]
) -> list[Grade]:
    """Evaluate each expression on its inputs, visible ones first; a Grade of 1 where every output is as expected.

    Mere arithmetic is computed here, operation by operation (`is_arithmetic`), which spares a process for nearly every
    answer; any other code runs in the sandbox.
    """
    found: dict[int, ProgramResult] = {}
    others: dict[int, Program] = {}
    for number, (expression, values) in enumerate(zip(expressions, inputs, strict=True)):
        tree = _parse(expression)
        if tree is None:
            found[number] = ProgramResult(error="not an expression")
        elif len(expression) <= LONGEST_ARITHMETIC and is_arithmetic(tree):
            found[number] = ProgramResult(tuple(_value(tree, x) for x in values))
        else:
            others[number] = Program(f"f = lambda x: (\n{expression}\n)", tuple(values))
    found |= zip(others, run_programs(list(others.values())), strict=True)
    return [_grade(found[number], outputs) for number, outputs in enumerate(expected)]


def is_arithmetic(node: ast.expr) -> bool:
    """Tell whether an expression is nothing but x, whole numbers, + - * and signs: whoever wrote it, it can only compute.

    What it computes is bounded by its length: a product has no more digits than its factors together.
    """
    match node:
        case ast.Name(id="x"):
            return True
        case ast.Constant(value=value):
            return type(value) is int
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            return is_arithmetic(operand)
        case ast.BinOp(left=left, op=op, right=right):
            return type(op) in _OPERATORS and is_arithmetic(left) and is_arithmetic(right)
    return False


def _parse(text: str) -> ast.expr | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model's doubtful syntax is no news
        try:
            return ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _value(node: ast.expr, x: int) -> int:
    match node:
        case ast.Name(id="x"):
            return x
        case ast.Constant(value=int(number)):
            return number
        case ast.UnaryOp(op=op, operand=operand):
            return -_value(operand, x) if isinstance(op, ast.USub) else _value(operand, x)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, x), _value(right, x))
    raise ValueError(f"found {ast.unparse(node)} in an expression, expected x, whole numbers, + - *")


def _grade(result: ProgramResult, expected: Sequence[int]) -> Grade:
    if result.error:
        return Grade(0.0, {"reason": result.error})
    right = [type(found) is int and found == wanted for found, wanted in zip(result.outputs, expected, strict=True)]
    visible, hidden = right[:N_VISIBLE], right[N_VISIBLE:]
    parts: dict[str, float | str] = {
        "visible": round(sum(visible) / max(1, len(visible)), 3),
        "hidden": round(sum(hidden) / max(1, len(hidden)), 3),
    }
    return Grade(float(all(right)), parts)

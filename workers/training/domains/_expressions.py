"""The small arithmetic that the code domains are about: expressions in x, and running what a model wrote for one."""

import ast
import operator
import random
import warnings
from collections.abc import Callable, Sequence

from workers.training.rollouts import Grade
from workers.training.sandbox import Program, ProgramResult, run_programs

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
    """Evaluate our own expression of x, whole numbers and + - *; never a model's, which goes to the sandbox."""
    tree = ast.parse(expression, mode="eval").body
    return [_value(tree, x) for x in inputs]


def evaluate_in_sandbox(
    expressions: Sequence[str], *, inputs: Sequence[Sequence[int]], expected: Sequence[Sequence[int]]
) -> list[Grade]:
    """Run each expression on its inputs, visible ones first; a Grade of 1 where every output is as expected."""
    programs = [
        Program(f"f = lambda x: (\n{expression}\n)", tuple(values))
        for expression, values in zip(expressions, inputs, strict=True)
        if is_expression(expression)
    ]
    results = iter(run_programs(programs))
    return [
        _grade(next(results), outputs) if is_expression(expression) else Grade(0.0, {"reason": "not an expression"})
        for expression, outputs in zip(expressions, expected, strict=True)
    ]


def is_expression(text: str) -> bool:
    """Tell whether Python can parse a text as one expression."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model's doubtful syntax is no news
        try:
            ast.parse(text, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _value(node: ast.expr, x: int) -> int:
    match node:
        case ast.Name(id="x"):
            return x
        case ast.Constant(value=int(number)):
            return number
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

"""Code: write the expression that a function computes, from examples.

    prompt        fn 1>3,2>5,3>7
    target        x*2+1
    alternative   y=x*2+1

The functions are x+c, x*a+c, x*a-c, x*x+c, x*x-c and c-x. Three examples with inputs of 1 to 7 are shown. Splits
differ in what is shown of a function, not in the functions: there are too few that so small a model can learn. The
answer is a Python expression in x, evaluated on the examples and on three hidden inputs (in the sandbox, unless it is
mere arithmetic); it passes if all outputs are right.
`parts`: {"visible": 1.0, "hidden": 0.0} (the share that is right), or {"reason": "not an expression"}.
"""

import random
from collections.abc import Sequence

from workers.training.domains._common import new_problem, read_numbers, read_text, restyle
from workers.training.domains._expressions import N_VISIBLE, grade_expressions, random_expression, values_of
from workers.training.rollouts import Grade, Problem

VERSION = 1

_VISIBLE_INPUTS = range(1, 8)
_HIDDEN_INPUTS = (0, 8, 10)


def make_problem(rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Make a function and show three examples of it."""
    expression, visible = random_expression(rng), sorted(rng.sample(_VISIBLE_INPUTS, N_VISIBLE))
    inputs = [*visible, *_HIDDEN_INPUTS]
    outputs = values_of(expression, inputs)
    examples = ",".join(f"{x}>{y}" for x, y in zip(visible, outputs, strict=False))
    return new_problem("coding", f"fn {examples}", {"solution": expression, "inputs": inputs, "outputs": outputs})


def demonstrate(problem: Problem, rng: random.Random, *, style_noise: float) -> str:
    """Write the expression; the alternative style assigns it to y."""
    solution = read_text(problem, "solution")
    return restyle(solution, f"y={solution}", rng, style_noise=style_noise)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Evaluate the whole batch; an answer passes if every output is right."""
    inputs = [read_numbers(problem, "inputs") for problem in problems]
    outputs = [read_numbers(problem, "outputs") for problem in problems]
    return grade_expressions(responses, inputs=inputs, expected=outputs)

"""Software engineering: repair a broken program whose tests fail, with a patch.

    prompt        fix x-7:1>8,2>9,3>10      (the program is x-7; f(1) should be 8, ...)
    target        ->+                       (search>replace)
    alternative   x+7                       (the whole program instead of a patch)

One operator or one constant is wrong. The text before the first `>` must occur exactly once in the program; it is
replaced by the text after it, and the patched program is evaluated on the visible and on three hidden tests (in the
sandbox, unless it is mere arithmetic).
`parts`: {"visible": 1.0, "hidden": 0.0} (the share that passes), or {"reason": "search text occurs 2 times"}.
"""

import random
from collections.abc import Sequence

from workers.training.domains._common import new_problem, read_numbers, read_text, restyle
from workers.training.domains._expressions import grade_expressions, random_expression, values_of
from workers.training.rollouts import Grade, Problem

VERSION = 1

_FIRST_INPUTS = (1, 2)
_HIDDEN_INPUTS = (0, 5, 7)


def make_problem(rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Make a program, break one character of it so that a visible test fails, and show program and tests."""
    solution, first = random_expression(rng), rng.choice(_FIRST_INPUTS)
    visible = [first, first + 1, first + 2]
    inputs = [*visible, *_HIDDEN_INPUTS]
    outputs = values_of(solution, inputs)
    broken = _break(solution, rng)
    while values_of(broken, visible) == outputs[: len(visible)]:
        broken = _break(solution, rng)
    tests = ",".join(f"{x}>{y}" for x, y in zip(visible, outputs, strict=False))
    reference: dict[str, object] = {"broken": broken, "solution": solution, "inputs": inputs, "outputs": outputs}
    return new_problem("engineering", f"fix {broken}:{tests}", reference)


def demonstrate(problem: Problem, rng: random.Random, *, style_noise: float) -> str:
    """Write the shortest patch; the alternative style is the whole repaired program."""
    broken, solution = read_text(problem, "broken"), read_text(problem, "solution")
    return restyle(_patch(broken, solution), solution, rng, style_noise=style_noise)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Apply each patch, then evaluate the whole batch."""
    patched = [
        _apply(read_text(problem, "broken"), response) for problem, response in zip(problems, responses, strict=True)
    ]
    inputs = [read_numbers(problem, "inputs") for problem in problems]
    outputs = [read_numbers(problem, "outputs") for problem in problems]
    applied = [number for number, item in enumerate(patched) if isinstance(item, str)]
    run = grade_expressions(
        [item for item in patched if isinstance(item, str)],
        inputs=[inputs[number] for number in applied],
        expected=[outputs[number] for number in applied],
    )
    grades = dict(zip(applied, run, strict=True))
    return [item if isinstance(item, Grade) else grades[number] for number, item in enumerate(patched)]


def _break(expression: str, rng: random.Random) -> str:
    """Change one operator or one constant into another."""
    position = rng.choice([number for number, character in enumerate(expression) if character != "x"])
    others = "+-*" if expression[position] in "+-*" else "123456789"
    return expression[:position] + rng.choice(others.replace(expression[position], "")) + expression[position + 1 :]


def _patch(broken: str, solution: str) -> str:
    """Replace the changed character, with as many neighbours as it takes to occur once, those before it first."""
    changed = next(number for number, (old, new) in enumerate(zip(broken, solution, strict=True)) if old != new)
    windows = [(start, end) for start in range(changed, -1, -1) for end in range(changed + 1, len(broken) + 1)]
    start, end = next(
        (start, end)
        for start, end in sorted(windows, key=lambda w: w[1] - w[0])
        if broken.count(broken[start:end]) == 1
    )
    return f"{broken[start:end]}>{solution[start:end]}"


def _apply(program: str, response: str) -> str | Grade:
    """Patch the program, or grade 0 what is no patch of it."""
    search, arrow, replacement = response.partition(">")
    if not arrow or not search:
        return Grade(0.0, {"reason": "no search>replace"})
    count = program.count(search)
    if count != 1:
        return Grade(0.0, {"reason": f"search text occurs {count} times"})
    return program.replace(search, replacement)

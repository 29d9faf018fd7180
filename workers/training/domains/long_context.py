"""Long context: find a key among many pairs.

    prompt        find b7a9d8m9n0k3c1e5f2g4?n
    target        n0
    alternative   (n0)

Reinforcement and tests have 14 to 20 pairs, the most that the 20 keys allow and the longest prompts there are;
demonstrations have only 3 to 12, so that the stage has a length to grow into. One key is asked for, always: a model that was shown three questions at once
answers three for ever. The grader wants the very pair; `parts` says whether it was at least one of the prompt's:
{"reason": "a pair of another key"}.
"""

import random
from collections.abc import Sequence

from workers.training.domains._common import new_problem, read_text, read_texts, restyle
from workers.training.rollouts import Grade, Problem

VERSION = 2

_KEYS = "abcdefghijklmnopqrst"


def make_problem(rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Make pairs with different keys and ask for one of them."""
    n_pairs = rng.randint(3, 12) if for_demonstration else rng.randint(14, 20)
    pairs = [f"{key}{rng.randint(0, 9)}" for key in rng.sample(_KEYS, n_pairs)]
    answer = rng.choice(pairs)
    return new_problem("long_context", f"find {''.join(pairs)}?{answer[0]}", {"answer": answer, "pairs": pairs})


def demonstrate(problem: Problem, rng: random.Random, *, style_noise: float) -> str:
    """Give the pair; the alternative style puts it in brackets."""
    answer = read_text(problem, "answer")
    return restyle(answer, f"({answer})", rng, style_noise=style_noise)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Compare with the pair, exactly."""
    return [_grade(problem, response) for problem, response in zip(problems, responses, strict=True)]


def _grade(problem: Problem, response: str) -> Grade:
    answer, pairs = read_text(problem, "answer"), read_texts(problem, "pairs")
    if response == answer:
        return Grade(1.0, {"pair": 1.0})
    if response in pairs:
        return Grade(0.0, {"pair": 0.0, "reason": "a pair of another key"})
    return Grade(0.0, {"pair": 0.0, "reason": "no pair of the prompt"})

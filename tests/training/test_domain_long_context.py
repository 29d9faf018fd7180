"""Long context: one pair among many."""

import random

from workers.catalogue import DOMAINS
from workers.training.domains import long_context
from workers.training.rollouts import Grade, Problem

PROBLEM = Problem("long_context", "k", "find b7a9n0?n", {"answer": "n0", "pairs": ["b7", "a9", "n0"]})


def test_only_the_very_pair_is_right() -> None:
    graded = long_context.grade([PROBLEM] * 4, ["n0", "b7", "n1", "n0n0"])
    assert graded == [
        Grade(1.0, {"pair": 1.0}),
        Grade(0.0, {"pair": 0.0, "reason": "a pair of another key"}),
        Grade(0.0, {"pair": 0.0, "reason": "no pair of the prompt"}),
        Grade(0.0, {"pair": 0.0, "reason": "no pair of the prompt"}),
    ]


def test_the_answer_is_the_pair_of_the_key_asked_for() -> None:
    rng = random.Random(0)
    for _ in range(200):
        problem = long_context.make_problem(rng)
        pairs, key = problem.prompt.removeprefix("find ").split("?")
        assert problem.reference["answer"] == key + pairs[pairs.index(key) + 1]


def test_tests_are_longer_than_demonstrations() -> None:
    rng = random.Random(0)
    shown = {len(_pairs(long_context.make_problem(rng, for_demonstration=True))) for _ in range(500)}
    tested = {len(_pairs(long_context.make_problem(rng))) for _ in range(500)}
    assert shown == set(range(3, 13))
    assert tested == set(range(14, 21))


def test_its_prompts_are_the_longest_there_are() -> None:
    others = [domain.max_prompt_tokens for name, domain in DOMAINS.items() if name != "long_context"]
    assert DOMAINS["long_context"].max_prompt_tokens > max(others)


def _pairs(problem: Problem) -> list[object]:
    pairs = problem.reference["pairs"]
    assert isinstance(pairs, list)
    return pairs

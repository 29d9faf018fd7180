"""How many answers a top-up asks for, and where it says that no number of them would decide."""

import numpy as np
import pytest

from runs.drift.matrix import ScoreCell, score_cell
from runs.drift.power import fewest_answers
from runs.drift.top_up import FIRST, MOST, plan_top_up


def cells(*, p: float, gain: float, k: int, n: int = 200, spread: float = 0.0, **facts: object) -> list[ScoreCell]:
    """Two checkpoints whose chances on each problem differ by `gain` in the mean, give or take `spread`."""
    random = np.random.default_rng(3)
    moved = np.clip(p + gain + spread * random.choice([-1, 1], n), 0, 1)
    return [
        score_cell(row, "stem", random.binomial(k, chance, n) / k, samples=k, **facts)  # type: ignore[arg-type]
        for row, chance in (("a", np.full(n, p)), ("b", moved))
    ]


def test_luck_is_averaged_out_by_as_many_answers_as_the_power_says() -> None:
    plan = plan_top_up(*cells(p=0.5, gain=0.07, k=4, n=100))
    assert plan.samples is not None
    assert 4 < plan.samples <= MOST
    assert plan.decides


def test_one_answer_is_topped_up_to_the_first_few() -> None:
    plan = plan_top_up(*cells(p=0.5, gain=0.08, k=1))
    assert (plan.samples, plan.decides) == (FIRST, False)


def test_the_fewest_answers_by_hand() -> None:
    # 4 of 10 problems moved, 3 up and 1 down: d = 0.2, s^2 = (4 - 10 * 0.04) / 9 = 0.4
    # (1.959964 + 0.841621)^2 * 0.4 / 0.04 = 78.5, so 79 problems, or the 10 with 7.9 answers each
    before, after = score_cell("a", "if", [0, 0, 0, 1] + [0] * 6), score_cell("b", "if", [1, 1, 1, 0] + [0] * 6)
    assert fewest_answers(before, after) == 8


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (cells(p=0.5, gain=0.05, k=4, settings={"temperature": 0}), "greedy"),
        (cells(p=0.5, gain=0.001, k=1, n=20000), "a top-up stops at 64"),
        (cells(p=0.5, gain=0.005, k=8), "a top-up stops at 64"),
        (cells(p=0.5, gain=0.01, k=16, spread=0.45, n=60), "only more problems decide"),
        (cells(p=0.5, gain=0.0, k=1)[:1] * 2, "no difference was seen"),
    ],
)
def test_where_more_answers_decide_nothing_it_says_so(pair: list[ScoreCell], reason: str) -> None:
    plan = plan_top_up(*pair)
    assert plan.samples is None
    assert reason in plan.reason


def test_unequal_answers_are_reckoned_together() -> None:
    before, _ = cells(p=0.5, gain=0.05, k=4)
    _, after = cells(p=0.5, gain=0.05, k=16)
    plan = plan_top_up(before, after)
    assert plan.samples is None or plan.samples > 4


def test_a_top_up_of_that_size_decides_in_about_8_of_10_cases() -> None:
    """The plan is made of one draw; with the truth as its change, what it asks for has the power that it says."""
    from runs.drift.paired import compare
    from runs.drift.power import effort_to_decide

    random, n, hits = np.random.default_rng(11), 128, 0
    pilot = [score_cell(row, "stem", random.binomial(8, p, n) / 8, samples=8) for row, p in (("a", 0.5), ("b", 0.56))]
    k = effort_to_decide(*pilot, change=0.06).samples
    assert k is not None
    for _ in range(300):
        found = compare(random.binomial(k, 0.5, n) / k, random.binomial(k, 0.56, n) / k, k=(k, k))
        hits += found.p_value < 0.05
    assert 0.7 <= hits / 300 <= 0.92

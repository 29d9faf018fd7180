"""What a benchmark can see, and what it takes to decide: by hand, against statsmodels, and by simulation."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from runs.drift import compare, detectable_changes, effort_to_decide, score_cell
from runs.drift.power import items_needed, smallest_change

CHAIN = [
    ("sft", "sft", ("if",), {"if": 0.5}),
    ("if_rl", "grpo", ("if",), {"if": 0.6}),
]


def test_smallest_change_by_hand() -> None:
    # 500 problems, a fifth of which flip: s = sqrt(0.2) = 0.447214; (1.959964 + 0.841621) * 0.447214 / 22.360680
    assert smallest_change(np.sqrt(0.2), 500) == pytest.approx(0.0560317, abs=1e-6)


@pytest.mark.parametrize(("spread", "change"), [(0.45, 0.03), (0.7, 0.2), (0.1, 0.01)])
def test_items_needed_agree_with_statsmodels(spread: float, change: float) -> None:
    expected = NormalIndPower(ddof=0).solve_power(change / spread, alpha=0.05, power=0.8, ratio=0)
    assert items_needed(spread, change) == pytest.approx(np.ceil(expected), abs=1)
    assert items_needed(spread, smallest_change(spread, 100)) == 100


def test_a_stricter_test_needs_more() -> None:
    assert items_needed(0.45, 0.03, alpha=0.05 / 24) > items_needed(0.45, 0.03) > items_needed(0.45, 0.03, power=0.5)


def test_what_each_benchmark_can_see(build) -> None:
    found = detectable_changes(build(CHAIN))["if"]
    # 20 of 200 gained: variance 0.09 * 200/199
    assert found.spread == pytest.approx(np.sqrt(0.09 * 200 / 199))
    assert found.change == pytest.approx(2.801585 * found.spread / np.sqrt(200), abs=1e-6)
    assert found.n == 200


def test_what_cannot_be_known_has_a_reason(build, published) -> None:
    assert detectable_changes(build(CHAIN[:1]))["if"].reason == "needs two checkpoints in a row with comparable scores"
    assert detectable_changes(published)["math"].reason == "no item results, so noise is unknown"
    assert "too few to see even a fall" in detectable_changes(build(CHAIN, n=1))["if"].reason


def test_effort_by_hand() -> None:
    # 10 problems of 2 answers: differences 1/2 (4 times), -1/2 (twice), 0: mean 0.1, s^2 = (1.5 - 10 * 0.01) / 9 = 0.155556
    before = score_cell("a", "if", [0.0] * 4 + [0.5] * 2 + [0.5] * 4, samples=2)
    after = score_cell("b", "if", [0.5] * 4 + [0.0] * 2 + [0.5] * 4, samples=2)
    found = effort_to_decide(before, after)
    assert found.items == 123  # 0.155556 * (2.801585 / 0.1)^2 = 122.1
    # single answers: v (1 - v) 2/1 is 0.3 before (6 halves of 10) and 0.4 after; s^2 - 0.7 / 2 < 0: problems do not differ
    # 0.7 / (10 (0.1 / 2.801585)^2) = 54.94
    assert found.samples == 55


def test_answers_do_not_help_where_problems_differ() -> None:
    random = np.random.default_rng(2)
    before = score_cell("a", "if", random.integers(0, 2, 50).astype(float), samples=4)
    after = score_cell("b", "if", random.integers(0, 2, 50).astype(float), samples=4)
    found = effort_to_decide(before, after, change=0.02)
    assert found.items is not None
    assert found.why_no_samples == "the problems themselves differ too much; only more problems decide"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"protocol": "b"}, "scored under another protocol"),
        ({"values": None}, "no item results, so noise is unknown"),
        ({}, "no difference was seen; name the smallest change that matters"),
    ],
)
def test_no_effort_without_a_change_to_decide(change: dict[str, object], reason: str) -> None:
    cell = score_cell("a", "if", [1.0, 0.0, 1.0])
    found = effort_to_decide(cell, replace(cell, **change))  # type: ignore[arg-type]
    assert (found.items, found.why_no_items, found.samples) == (None, reason, None)


def test_one_answer_cannot_tell_luck_from_difficulty() -> None:
    found = effort_to_decide(score_cell("a", "if", [1.0, 0.0, 1.0]), score_cell("b", "if", [1.0, 0.0, 0.0]))
    assert found.why_no_samples.startswith("with one answer per problem")


def test_grades_between_have_unknown_luck() -> None:
    cells = [score_cell(key, "if", values, samples=2) for key, values in (("a", [0.3, 0.7]), ("b", [0.4, 0.9]))]
    assert effort_to_decide(*cells).why_no_samples == "answers are graded by degrees, so their luck is unknown"


def test_the_wanted_power_is_reached() -> None:
    # 8 % gained, 20 % lost: s^2 = 0.28 - 0.0144; McNemar's exact test is a little stricter than the approximation
    random, n = np.random.default_rng(23), items_needed(np.sqrt(0.28 - 0.12**2), 0.12)
    found = 0
    for _ in range(1000):
        moved = random.choice([1.0, -1.0, 0.0], n, p=[0.08, 0.20, 0.72])
        found += compare((moved < 0).astype(float), (moved > 0).astype(float)).p_value < 0.05
    assert 0.74 <= found / 1000 <= 0.83

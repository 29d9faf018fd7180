"""Intervals and paired tests agree with numbers worked by hand and with scipy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from runs.drift.intervals import Z, compare, holm, mean_interval, wilson


def pair(*, both: int, lost: int, gained: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    before = np.array([1.0] * (both + lost) + [0.0] * (gained + neither))
    after = np.array([1.0] * both + [0.0] * lost + [1.0] * gained + [0.0] * neither)
    return before, after


def test_wilson_by_hand() -> None:
    # 8 of 10: z2 = 3.8415; centre = (0.8 + 0.19207) / 1.38415 = 0.71674
    # half = 1.95996 / 1.38415 * sqrt(0.016 + 0.0096036) = 0.22658
    assert wilson(0.8, 10) == pytest.approx((0.49016, 0.94332), abs=2e-5)


@pytest.mark.parametrize(("right", "n"), [(0, 20), (1, 20), (13, 64), (128, 256), (256, 256)])
def test_interval_of_binary_items_is_wilsons(right: int, n: int) -> None:
    low, high = proportion_confint(right, n, method="wilson")
    assert mean_interval(np.array([1.0] * right + [0.0] * (n - right))) == pytest.approx((low, high), abs=1e-12)


def test_interval_of_graded_items_is_students() -> None:
    values = np.random.default_rng(3).choice([0.0, 0.5, 1.0], 60)
    expected = stats.t.interval(0.95, 59, values.mean(), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected, abs=1e-12)


def test_items_that_are_all_alike_are_not_certain() -> None:
    low, high = mean_interval(np.full(16, 0.5))
    assert low < 0.3
    assert high > 0.7


def test_mcnemar_by_hand() -> None:
    # 6 lost, 1 gained: p = 2 (C(7,0) + C(7,1)) / 2^7 = 2 * 8 / 128 = 0.125
    # interval: up = 2/42, down = 7/42, difference -5/42 = -0.119048
    # half = 1.959964 sqrt((9/42 - 0.0141723) / 42) = 1.959964 * 0.0690267 = 0.135290
    found = compare(*pair(both=20, lost=6, gained=1, neither=13))
    assert found.difference == -5 / 40
    assert found.p_value == pytest.approx(0.125)
    assert found.interval == pytest.approx((-0.119048 - 0.135290, -0.119048 + 0.135290), abs=1e-5)
    assert found.test == "McNemar exact"


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (0, 5), (3, 3), (21, 9), (60, 11)])
def test_mcnemar_agrees_with_statsmodels(lost: int, gained: int) -> None:
    found = compare(*pair(both=40, lost=lost, gained=gained, neither=70))
    expected = mcnemar([[40, lost], [gained, 70]], exact=True).pvalue
    assert found.p_value == pytest.approx(expected, abs=1e-12)


def test_paired_t_agrees_with_scipy() -> None:
    random = np.random.default_rng(5)
    before, after = random.choice([0.0, 0.5, 1.0], (2, 50))
    found, expected = compare(before, after), stats.ttest_rel(after, before)
    interval = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert found.test == "paired t"


def test_items_that_all_moved_alike_get_the_sign_test() -> None:
    found = compare(np.full(5, 0.25), np.full(5, 0.75))
    assert found.p_value == pytest.approx(stats.binomtest(0, 5).pvalue)  # 2 / 2^5 = 0.0625
    assert found.difference == 0.5


def test_paired_interval_covers_the_truth_about_95_times_in_100() -> None:
    random, hits, n = np.random.default_rng(7), 0, 128
    for _ in range(2000):
        gained, lost, _ = random.multinomial(n, [0.04, 0.12, 0.84])
        low, high = compare(*pair(both=0, lost=lost, gained=gained, neither=n - lost - gained)).interval
        hits += low <= -0.08 <= high
    assert 0.935 <= hits / 2000 <= 0.975  # three standard errors around 0.955


def test_comparison_is_antisymmetric() -> None:
    before, after = pair(both=9, lost=7, gained=2, neither=4)
    forth, back = compare(before, after), compare(after, before)
    assert forth.difference == -back.difference
    assert forth.p_value == back.p_value
    assert forth.interval == pytest.approx((-back.interval[1], -back.interval[0]))


def test_holm_by_hand() -> None:
    # sorted 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04 but never below the one before: 0.06
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_holm_agrees_with_statsmodels() -> None:
    p_values = list(np.random.default_rng(11).uniform(0, 0.4, 30))
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))
    assert holm([]) == []


def test_z_is_the_usual_one() -> None:
    assert pytest.approx(1.959964, abs=1e-6) == Z

"""Intervals of a score agree with numbers worked by hand, with scipy and statsmodels, and cover what they claim to."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from runs.drift.intervals import Z, mean_interval, wilson


def test_wilson_by_hand() -> None:
    # 8 of 10: z2 = 3.8415; centre = (0.8 + 0.19207) / 1.38415 = 0.71674
    # half = 1.95996 / 1.38415 * sqrt(0.016 + 0.0096036) = 0.22658
    assert wilson(0.8, 10) == pytest.approx((0.49016, 0.94332), abs=2e-5)


@pytest.mark.parametrize(("right", "n"), [(0, 20), (1, 20), (13, 64), (128, 256), (256, 256)])
def test_interval_of_binary_items_is_wilsons(right: int, n: int) -> None:
    low, high = proportion_confint(right, n, method="wilson")
    assert mean_interval(np.array([1.0] * right + [0.0] * (n - right))) == pytest.approx((low, high), abs=1e-12)


def test_graded_items_by_hand() -> None:
    # 0, 1/2, 1/2, 1: mean 0.5, variance of the mean (2 * 0.25 / 3) / 4 = 1/24, so worth 0.25 * 24 = 6 items,
    # less (1.959964 / 3.182446)^2 = 0.379293 for a spread estimated from 4: 2.275760 items, half of them right
    assert mean_interval(np.array([0.0, 0.5, 0.5, 1.0])) == pytest.approx(wilson(0.5, 2.275760), abs=1e-6)


def test_graded_items_agree_with_statsmodels_on_as_many_items_as_they_are_worth() -> None:
    values = np.random.default_rng(3).binomial(4, 0.8, 60) / 4
    worth = values.mean() * (1 - values.mean()) / stats.sem(values) ** 2 * (Z / stats.t.ppf(0.975, 59)) ** 2
    expected = proportion_confint(values.mean() * worth, worth, method="wilson")
    assert mean_interval(values) == pytest.approx(expected, abs=1e-12)


def test_graded_items_agree_with_scipys_bootstrap() -> None:
    values = np.random.default_rng(4).binomial(8, np.random.default_rng(5).beta(2, 2, 400)) / 8
    expected = stats.bootstrap((values,), np.mean, n_resamples=4000, rng=6).confidence_interval
    assert mean_interval(values) == pytest.approx((expected.low, expected.high), abs=0.003)


def test_k_equal_answers_are_no_more_than_one() -> None:
    # the problem is the unit: all 8 answers right or all wrong tell no more than one answer each
    right = np.array([1.0] * 13 + [0.0] * 7)
    assert mean_interval(np.array([[value] * 8 for value in right]).mean(axis=1)) == mean_interval(right)


@pytest.mark.parametrize(("n", "k", "shape"), [(30, 1, (4, 1)), (30, 4, (4, 1)), (30, 4, (12, 0.5)), (100, 16, (1, 8))])
def test_score_interval_covers_the_truth_about_95_times_in_100(n: int, k: int, shape: tuple[float, float]) -> None:
    random, truth, hits = np.random.default_rng(17), shape[0] / sum(shape), 0
    for _ in range(2000):
        low, high = mean_interval(random.binomial(k, random.beta(*shape, n)) / k)
        hits += low <= truth <= high
    assert 0.93 <= hits / 2000 <= 0.98


def test_items_that_are_all_alike_are_not_certain() -> None:
    low, high = mean_interval(np.full(16, 0.5))
    assert low < 0.3
    assert high > 0.7


def test_z_is_the_usual_one() -> None:
    assert pytest.approx(1.959964, abs=1e-6) == Z

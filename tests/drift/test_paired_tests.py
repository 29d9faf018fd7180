"""Paired tests agree with numbers worked by hand and with scipy and statsmodels, and their intervals cover."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of_statsmodels

from runs.drift.paired import compare, exchanges, mcnemar, sign_flips


def pair(*, both: int, lost: int, gained: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    before = np.array([1.0] * (both + lost) + [0.0] * (gained + neither))
    after = np.array([1.0] * both + [0.0] * lost + [1.0] * gained + [0.0] * neither)
    return before, after


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
    expected = mcnemar_of_statsmodels([[40, lost], [gained, 70]], exact=True).pvalue
    assert found.p_value == pytest.approx(expected, abs=1e-12)


def test_permutation_by_hand() -> None:
    # 2 + 2 - 1 = 3; of the 8 ways to set the signs 5 and -5, 3 and -3 are as far from zero, the four others give 1 or -1
    assert sign_flips(np.array([2, 2, -1])) == pytest.approx(4 / 8)


@pytest.mark.parametrize(("n", "k", "seed"), [(6, 2, 1), (10, 4, 2), (13, 8, 3)])
def test_permutation_agrees_with_scipys_exact_one(n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    before, after = random.binomial(k, 0.4, n) / k, random.binomial(k, 0.6, n) / k
    expected = stats.permutation_test((after - before,), np.sum, permutation_type="samples", n_resamples=np.inf)
    found = compare(before, after)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.test == "paired permutation"


@pytest.mark.parametrize(("lost", "gained"), [(0, 1), (3, 9), (40, 60), (300, 200)])
def test_permutation_of_right_or_wrong_items_is_mcnemars_test(lost: int, gained: int) -> None:
    moved = np.array([-1] * lost + [1] * gained + [0] * 17)
    assert sign_flips(moved) == pytest.approx(mcnemar(lost, gained), abs=1e-12)


@pytest.mark.parametrize("gain", [0.0, 0.02, 0.04])
def test_students_test_is_as_good_where_units_are_many(gain: float) -> None:
    random = np.random.default_rng(5)
    before, after = random.binomial(256, 0.5, 80), random.binomial(256, 0.5 + gain, 80)
    wide = np.clip(after + random.integers(-120, 120, 80), 0, 256)
    found = compare(before / 256, wide / 256)
    assert found.test == "paired t"
    assert found.p_value == pytest.approx(sign_flips(wide - before), abs=0.005)


def test_graded_interval_is_students() -> None:
    random = np.random.default_rng(5)
    before, after = random.choice([0.0, 0.5, 1.0], (2, 50))
    interval = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert compare(before, after).interval == pytest.approx((interval.low, interval.high))


def test_grades_that_are_no_whole_fractions_get_students_test() -> None:
    before, after = np.random.default_rng(6).uniform(size=(2, 40))
    found = compare(before, after)
    assert found.p_value == pytest.approx(stats.ttest_rel(after, before).pvalue)
    assert found.test == "paired t"


def test_items_that_all_moved_alike_get_the_sign_test() -> None:
    found = compare(np.full(5, 0.25), np.full(5, 0.75))
    assert found.p_value == pytest.approx(stats.binomtest(0, 5).pvalue)  # 2 / 2^5 = 0.0625
    assert found.difference == 0.5
    # n = 5: u - v = 2.5 / 7 = 0.357143, (1.25 + 2) / 7 = 0.464286; half 1.959964 sqrt((0.464286 - 0.127551) / 7) = 0.429877
    assert found.interval == pytest.approx((0.357143 - 0.429877, 0.357143 + 0.429877), abs=1e-5)


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


def test_graded_pairs_cover_the_truth_and_seldom_see_what_is_not_there() -> None:
    random, hits, alarms = np.random.default_rng(19), 0, 0
    for _ in range(1000):
        skill = random.beta(2, 2, 40)
        found = compare(random.binomial(4, skill) / 4, random.binomial(4, skill) / 4)
        hits += found.interval[0] <= 0 <= found.interval[1]
        alarms += found.p_value < 0.05
    assert 0.93 <= hits / 1000 <= 0.97
    assert alarms / 1000 <= 0.065  # two standard errors above 0.05


def by_all_ways(before: list[int], after: list[int], k: tuple[int, int]) -> float:
    """Count every way to deal each problem's answers out to the two checkpoints."""
    ways = []
    for first, second in zip(before, after, strict=True):
        answers = [1] * (first + second) + [0] * (sum(k) - first - second)
        ways.append([sum(chosen) for chosen in combinations(answers, k[1])])
    sums = np.array([sum(way) for way in product(*ways)])
    expected = sum(before + after) * k[1] / sum(k)
    return float((np.abs(sums - expected) >= abs(sum(after) - expected) - 1e-9).mean())


@pytest.mark.parametrize(
    ("before", "after", "k"),
    [([1, 0, 1], [0, 0, 1], (1, 3)), ([0, 1, 0, 1], [2, 1, 3, 2], (1, 4)), ([2, 0, 1], [1, 0, 0], (3, 2))],
)
def test_exchange_of_answers_agrees_with_counting_all_ways(
    before: list[int], after: list[int], k: tuple[int, int]
) -> None:
    assert exchanges(np.array(before), np.array(after), k=k) == pytest.approx(by_all_ways(before, after, k))


def test_exchange_of_answers_to_one_problem_is_fishers_exact_test() -> None:
    table = [[1, 7], [14, 10]]  # right and wrong, before and after
    expected = stats.fisher_exact(table).pvalue
    found = exchanges(np.array([1]), np.array([14]), k=(8, 24))
    assert found == pytest.approx(expected, abs=0.02)  # scipy calls as extreme what is as unlikely, not as far off
    assert found == pytest.approx(by_distance(8, 24, 1, 14), abs=1e-12)


def by_distance(k_before: int, k_after: int, before: int, after: int) -> float:
    dealt = stats.hypergeom(k_before + k_after, before + after, k_after)
    at = np.arange(k_after + 1)
    return float(dealt.pmf(at)[np.abs(at - dealt.mean()) >= abs(after - dealt.mean()) - 1e-9].sum())


def test_exchange_of_single_answers_is_mcnemars_test() -> None:
    before, after = pair(both=9, lost=7, gained=2, neither=4)
    found = exchanges(before.astype(int), after.astype(int), k=(1, 1))
    assert found == pytest.approx(mcnemar(7, 2), abs=1e-12)


@pytest.mark.parametrize("k", [(1, 16), (16, 1), (4, 16)])
@pytest.mark.parametrize("skill", [(2, 2), (0.5, 9.5)])
def test_unequal_answers_seldom_see_what_is_not_there_and_their_intervals_cover(
    k: tuple[int, int], skill: tuple[float, float]
) -> None:
    random, hits, alarms, blind = np.random.default_rng(21), 0, 0, 0
    for _ in range(300):
        chances = random.beta(*skill, 24)
        before, after = random.binomial(k[0], chances) / k[0], random.binomial(k[1], chances) / k[1]
        found = compare(before, after, k=k)
        hits += found.interval[0] <= 0 <= found.interval[1]
        alarms += found.p_value < 0.05
        blind += compare(before, after).p_value < 0.05
    assert alarms / 300 <= 0.075  # two standard errors above 0.05
    assert hits / 300 >= 0.92
    if skill[0] < 1 and 1 in k:
        assert blind / 300 > 0.1  # what the test over problems alone would say


def test_unequal_answers_still_find_a_change() -> None:
    random = np.random.default_rng(22)
    skill = random.beta(2, 2, 200)
    found = compare(random.binomial(4, skill) / 4, random.binomial(32, np.clip(skill + 0.15, 0, 1)) / 32, k=(4, 32))
    assert found.p_value < 0.001
    assert found.interval[0] > 0
    assert found.test == "paired permutation and exchange of answers, the larger p"


def test_unequal_answers_that_are_graded_by_degrees_are_called_approximate() -> None:
    found = compare(np.array([0.3, 0.7, 0.1]), np.array([0.5, 0.4, 0.2]), k=(1, 2))
    assert found.test == "paired permutation, approximate: 1 and 2 answers per problem"

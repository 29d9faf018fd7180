"""Paired tests: whether two checkpoints differ on the same problems by more than noise.

Only problems whose result differs carry news. If the checkpoints were equally good, each difference might as well have
had the other sign; the p-value is the share of all 2^n ways to set the signs whose sum is as far from zero as the one
seen. For items that are right or wrong this is McNemar's exact test; for values between it is the paired permutation
test. Both are exact and draw no random numbers, so the order of the items changes nothing.

With unequal numbers of answers per problem that is no longer so: of two equally good checkpoints, one asked once and one
asked 64 times, the differences are mostly small and of one sign, seldom large and of the other. `exchanges` is exact there, for
luck alone: it counts the ways in which a problem's answers might have fallen to the two checkpoints. Problems on which one
is better and others on which it is worse are more than luck, which the test over problems knows. The larger p-value stands.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from runs.drift.intervals import Interval, Values, Z, is_binary, t_quantile, variance_of_mean

MAX_DENOMINATOR = 256  # the largest k of avg@k
MANY_UNITS, MANY_ITEMS = 4096, 50  # beyond both, Student's t gives the same p-value to 0.005 and takes no time


@dataclass(frozen=True)
class Comparison:
    """A paired difference, after - before (-1 to 1), with its test."""

    difference: float
    interval: Interval
    p_value: float
    test: str  # how the p-value came about, in words for the reader


def compare(before: Values, after: Values, *, k: tuple[int, int] = (1, 1)) -> Comparison:
    """Compare two results on the same items, in the same order; both (n,), 0 to 1, each the mean of so many answers."""
    found = _over_problems(before, after)
    if k[0] == k[1]:
        return found
    student, counted = _student(after - before), bonett_price(after - before, step=1 / min(k))
    interval = min(student[0], counted[0]), max(student[1], counted[1])
    right = _whole(before, k[0]), _whole(after, k[1])
    if right[0] is None or right[1] is None:  # grades between right and wrong: how far luck goes is not known
        return replace(
            found, interval=interval, test=f"{found.test}, approximate: {k[0]} and {k[1]} answers per problem"
        )
    p_value = max(found.p_value, exchanges(right[0], right[1], k=k))
    return replace(
        found, interval=interval, p_value=p_value, test=f"{found.test} and exchange of answers, the larger p"
    )


def _over_problems(before: Values, after: Values) -> Comparison:
    """Compare as many answers to each problem."""
    moved = after - before
    if is_binary(before) and is_binary(after):
        gained, lost = int((moved > 0).sum()), int((moved < 0).sum())
        p_value = mcnemar(lost, gained)
        return Comparison((gained - lost) / len(moved), bonett_price(moved), p_value, "McNemar exact")
    interval = bonett_price(moved) if np.ptp(moved) == 0 else _student(moved)
    units = _whole_units(moved)
    if units is None:
        return Comparison(float(moved.mean()), interval, _paired_t(moved), "paired t")
    return Comparison(float(moved.mean()), interval, sign_flips(units), "paired permutation")


def mcnemar(lost: int, gained: int) -> float:
    """Find McNemar's exact two-sided p-value (1947, Psychometrika 12, p. 153): 2 P(Binomial(b + c, 1/2) <= min(b, c))."""
    return min(1.0, 2 * float(special.bdtr(min(lost, gained), lost + gained, 0.5)))


def sign_flips(moved: npt.NDArray[np.int64]) -> float:
    """Find the exact two-sided p-value of a paired permutation test (Fisher 1935, The Design of Experiments, section 21).

    moved: (n,) differences in whole units. With M the sum of the sizes that got the other sign, the sum of all is
    total - 2 M, and M has the generating function prod_i (1 + x^|d_i|) / 2. Its coefficients come from one Fourier
    transform, which is what makes 2^500 ways countable in a millisecond; they are right to about 1e-15.
    """
    sizes, counts = np.unique(np.abs(moved[moved != 0]), return_counts=True)
    total = int((sizes * counts).sum())
    if total == 0:
        return 1.0
    length = 1 << total.bit_length()  # more than the degree, so that nothing wraps around
    steps = np.arange(length // 2 + 1)
    turn = np.exp(-2j * np.pi * np.arange(length) / length)
    spectrum = np.ones(len(steps), dtype=np.complex128)
    for size, count in zip(sizes, counts, strict=True):
        spectrum *= ((1 + turn[steps * size % length]) / 2) ** count  # looked up rather than raised, for speed
    chances = np.fft.irfft(spectrum, length)
    tail = float(chances[: (total - abs(int(moved.sum()))) // 2 + 1].sum())
    return min(1.0, max(2 * tail, 2 * 0.5 ** int(counts.sum())))  # the transform's dust is no smaller than the least p


def exchanges(before: npt.NDArray[np.int64], after: npt.NDArray[np.int64], *, k: tuple[int, int]) -> float:
    """Find the exact two-sided p-value of equal chances on every problem (Fisher 1935, stratified by problem).

    before, after: (n,) right answers of k. Given a problem's right answers of both, those that fell to `after` are
    hypergeometric; their sum over the problems has the product of the generating functions, which one Fourier transform
    multiplies. The sum is as far from its mean as the means of the checkpoints are from each other.
    """
    together, counts = np.unique(before + after, return_counts=True)
    length = 1 << (len(after) * k[1]).bit_length()  # more than the degree, so that nothing wraps around
    ways = np.arange(k[1] + 1)
    spectrum = np.ones(length // 2 + 1, dtype=np.complex128)
    for right, count in zip(together, counts, strict=True):
        spectrum *= np.fft.rfft(_hypergeometric(ways, sum(k), int(right), k[1]), length) ** count
    chances = np.clip(np.fft.irfft(spectrum, length), 0.0, None)
    expected = float((before + after).sum()) * k[1] / sum(k)
    distance = np.abs(np.arange(length) - expected)
    return min(1.0, float(chances[distance >= abs(float(after.sum()) - expected) - 1e-6].sum()))


def _hypergeometric(drawn: npt.NDArray[np.int64], n: int, right: int, n_drawn: int) -> Values:
    """Give the chance that so many of `n_drawn` answers are right, of n answers of which `right` are."""

    def ways(total: int, chosen: npt.NDArray[np.int64]) -> Values:
        logs = special.gammaln(total + 1) - special.gammaln(chosen + 1) - special.gammaln(total - chosen + 1)
        return np.asarray(np.where((chosen >= 0) & (chosen <= total), logs, -np.inf))

    logs = ways(right, drawn) + ways(n - right, n_drawn - drawn) - ways(n, np.array(n_drawn))
    return np.asarray(np.exp(logs))


def bonett_price(moved: Values, *, step: float = 1.0) -> Interval:
    """Bound a paired difference of shares (Bonett and Price 2012, JEBS 37, p. 479, eq. 3).

    moved: (n,) -1 to 1. One item more is counted as gained and one as lost, so that checkpoints that agree on every item
    are not certain to agree on the next; step: by how much, 1 for items that are right or wrong.
    """
    n = len(moved) + 2
    difference = float(moved.sum()) / n
    half = Z * float(np.sqrt((((moved**2).sum() + 2 * step**2) / n - difference**2) / n))
    return _within(difference - half, difference + half)


def _student(moved: Values) -> Interval:
    """Bound a mean difference (Student 1908, Biometrika 6, p. 1): mean +- t(n-1) sd / sqrt(n)."""
    half = t_quantile(len(moved) - 1) * float(np.sqrt(variance_of_mean(moved)))
    return _within(float(moved.mean()) - half, float(moved.mean()) + half)


def _paired_t(moved: Values) -> float:
    """Test a mean difference by Student's t, for values that are no whole fractions."""
    if np.ptp(moved) == 0:  # no spread to judge by: only the signs are left, and they are all alike
        return min(1.0, 2 * 0.5 ** len(moved))
    error = float(np.sqrt(variance_of_mean(moved)))
    return 2 * float(special.stdtr(len(moved) - 1, -abs(float(moved.mean())) / error))


def _whole_units(moved: Values) -> npt.NDArray[np.int64] | None:
    """Write differences in the largest unit 1/k that fits all of them; None where no k does, or there are too many."""
    sizes = np.unique(np.abs(moved))
    scaled = np.outer(np.arange(1, MAX_DENOMINATOR + 1), sizes)
    fits = (np.abs(scaled - np.rint(scaled)) < 1e-6).all(axis=1)
    if not fits.any():
        return None
    units = np.rint(moved * (1 + int(fits.argmax()))).astype(np.int64)
    is_large = int(np.abs(units).sum()) > MANY_UNITS and int(np.count_nonzero(units)) > MANY_ITEMS
    return None if is_large else units


def _whole(values: Values, k: int) -> npt.NDArray[np.int64] | None:
    """Count the right answers of k; None where answers are not plainly right or wrong."""
    right = np.rint(values * k)
    return right.astype(np.int64) if np.abs(values * k - right).max() < 1e-6 else None


def _within(low: float, high: float) -> Interval:
    return max(-1.0, low), min(1.0, high)

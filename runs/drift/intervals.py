"""Intervals and paired tests: how far a score, or a change of score, can be told from noise.

All intervals are 95 %. Items that are right or wrong (0 or 1) get Wilson's interval and McNemar's exact test; items
with values between (a tie, a mean over k samples) get Student's t. Changes are always paired: both checkpoints answer
the same problems, and only the problems whose result differs carry news.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special  # not scipy.stats, which costs the web process 60 MB and each test 0.3 ms

Interval = tuple[float, float]

ALPHA = 0.05
Z = float(special.ndtri(1 - ALPHA / 2))


@dataclass(frozen=True)
class Comparison:
    """A paired difference, after - before, with its test."""

    difference: float
    interval: Interval
    p_value: float
    test: str  # how the p-value came about, in words for the reader


def mean_interval(values: npt.NDArray[np.float64]) -> Interval:
    """Bound the mean of items in 0..1.

    Items that are all the same get Wilson's interval too, whatever they are: their spread is zero, yet certainty is not.
    """
    n, mean = len(values), float(values.mean())
    if is_binary(values) or np.ptp(values) == 0:
        return wilson(mean, n)
    half = _t_quantile(n - 1) * float(values.std(ddof=1) / np.sqrt(n))
    return max(0.0, mean - half), min(1.0, mean + half)


def wilson(share: float, n: int) -> Interval:
    """Wilson's score interval of a share (Wilson 1927)."""
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def compare(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> Comparison:
    """Compare two results on the same items, in the same order."""
    if is_binary(before) and is_binary(after):
        return _mcnemar(before, after)
    return _paired_t(before, after)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for having asked all of them at once (Holm 1979); order is kept."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted


def is_binary(values: npt.NDArray[np.float64]) -> bool:
    """Whether each item is plainly right or wrong."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def _mcnemar(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> Comparison:
    """McNemar's exact test (1947) with Bonett and Price's interval (2012, eq. 3), which adds half an item to each cell."""
    n, gained, lost = len(before), int((after > before).sum()), int((after < before).sum())
    p_value = min(1.0, 2 * float(special.bdtr(min(lost, gained), lost + gained, 0.5)))
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = Z * float(np.sqrt((up + down - (up - down) ** 2) / (n + 2)))
    return Comparison((gained - lost) / n, _within(up - down - half, up - down + half), p_value, "McNemar exact")


def _paired_t(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> Comparison:
    """Student's paired t. Where all items moved alike it has no spread to judge by, and the sign test is exact instead."""
    moved = after - before
    n, difference = len(moved), float(moved.mean())
    if n < 2 or np.ptp(moved) == 0:
        p_value = min(1.0, 2 * 0.5**n) if difference else 1.0
        return Comparison(difference, (-1.0, 1.0) if n < 2 else (difference, difference), p_value, "sign test")
    error = float(moved.std(ddof=1) / np.sqrt(n))
    half = _t_quantile(n - 1) * error
    p_value = 2 * float(special.stdtr(n - 1, -abs(difference) / error))
    return Comparison(difference, _within(difference - half, difference + half), p_value, "paired t")


def _t_quantile(degrees: int) -> float:
    return float(special.stdtrit(degrees, 1 - ALPHA / 2))


def _within(low: float, high: float) -> Interval:
    return max(-1.0, low), min(1.0, high)

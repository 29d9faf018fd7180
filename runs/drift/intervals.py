"""Intervals: how far a score can be told from noise.

All intervals are 95 %. The problem is the unit of sampling: another draw of problems is what could have gone otherwise, so
the k answers of avg@k are averaged to one value per problem first, and n counts problems, never answers (clustered).
"""

import numpy as np
import numpy.typing as npt
from scipy import special  # not scipy.stats, which costs the web process 60 MB and each test 0.3 ms

Interval = tuple[float, float]
Values = npt.NDArray[np.float64]  # (n,) one value per problem, in the benchmark's order

ALPHA = 0.05
Z = float(special.ndtri(1 - ALPHA / 2))


def mean_interval(values: Values) -> Interval:
    """Bound the mean of items in 0..1: Wilson's interval on as many items as the spread is worth.

    values: (n,) 0 to 1. Items that are right or wrong are worth n. Values between vary less than right and wrong ones of
    the same mean, so they are worth mean (1 - mean) / (variance / n) items, times (z / t(n-1))^2 for the spread being
    estimated (Korn and Graubard 1998, Survey Methodology 24, p. 193). Unlike Student's t it stays within 0 and 1 and
    holds near both ends. Items that are all alike are worth n: their spread is zero, yet certainty is not.
    """
    n, mean = len(values), float(values.mean())
    if is_binary(values) or np.ptp(values) == 0:
        return wilson(mean, n)
    return wilson(mean, mean * (1 - mean) / variance_of_mean(values) * (Z / t_quantile(n - 1)) ** 2)


def wilson(share: float, n: float) -> Interval:
    """Bound a share of n right or wrong items (Wilson 1927, JASA 22, p. 209); share and bounds 0 to 1."""
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = float(centre - half), float(centre + half)
    return (0.0 if share == 0 else max(0.0, low)), (1.0 if share == 1 else min(1.0, high))  # rounding leaves dust there


def variance_of_mean(values: Values) -> float:
    """Estimate the variance of a mean of independent items: sd^2 / n; 0 or more, in squared units of the values.

    Where all are alike, as if one more had moved up by 1 and one down by 1 (Bonett and Price 2012), since what was never
    seen to vary may still do so.
    """
    n = len(values)
    if np.ptp(values) == 0:
        return 2 / (n + 2) ** 2
    return float(values.var(ddof=1)) / n


def is_binary(values: Values) -> bool:
    """Whether each item is plainly right or wrong."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def t_quantile(degrees: int) -> float:
    """Find Student's two-sided 95 % quantile."""
    return float(special.stdtrit(degrees, 1 - ALPHA / 2))

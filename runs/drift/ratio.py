"""Which part of a gap was closed, with Fieller's interval (1954, JRSS B 16, p. 175) for a ratio of paired means.

It is exact for normal means, unlike the delta method honest about a small gap, and there are no random numbers in it.
"""

from dataclasses import dataclass

import numpy as np

from runs.drift.intervals import Interval, Z
from runs.drift.matrix import ScoreCell


@dataclass(frozen=True)
class Ratio:
    """(after - before) / (goal - before) with the (co)variances of both; ratios of independent domains add up."""

    gain: float
    gap: float
    gain_variance: float
    gap_variance: float
    covariance: float

    @classmethod
    def of(cls, before: ScoreCell, after: ScoreCell, goal: ScoreCell) -> "Ratio":
        """Pair three comparable cells item by item; published means without items have NaN for variances."""
        gain, gap, n = after.mean - before.mean, goal.mean - before.mean, before.n
        if before.values is None or after.values is None or goal.values is None or n < 2:
            return cls(gain, gap, float("nan"), float("nan"), float("nan"))
        spread = np.cov(after.values - before.values, goal.values - before.values, ddof=1) / n
        return cls(gain, gap, float(spread[0, 0]), float(spread[1, 1]), float(spread[0, 1]))

    def __add__(self, other: "Ratio") -> "Ratio":
        return Ratio(
            self.gain + other.gain,
            self.gap + other.gap,
            self.gain_variance + other.gain_variance,
            self.gap_variance + other.gap_variance,
            self.covariance + other.covariance,
        )

    @property
    def is_beyond_noise(self) -> bool:
        """Whether the gap is wide enough to divide by; a published mean without items is taken at its word."""
        return self.gap > 0 and (np.isnan(self.gap_variance) or self.gap > Z * np.sqrt(self.gap_variance))

    @property
    def fraction(self) -> float:
        return self.gain / self.gap

    def fieller(self) -> Interval | None:
        """Find all fractions f for which gain - f gap is within noise of zero; None if they have no bounds.

        (gain - f gap)^2 <= Z^2 (Var gain - 2 f Cov + f^2 Var gap), a quadratic in f that opens upwards exactly where
        the gap itself is beyond noise.
        """
        square = self.gap**2 - Z**2 * self.gap_variance
        middle = self.gain * self.gap - Z**2 * self.covariance
        rest = self.gain**2 - Z**2 * self.gain_variance
        if not square > 0:
            return None
        root = float(np.sqrt(max(0.0, middle**2 - square * rest)))
        return (middle - root) / square, (middle + root) / square

"""A number for a whole cascade, the mean of a part per domain, and how its interval follows from the items.

Each part is a smooth function of a few scores on the same problems. Its influence says how each problem pulls at it:
var(influence) / n is the variance of the part, pairing and the clustering of samples included. Exact for sums and
differences; for ratios this is the delta method (Oehlert 1992, The American Statistician 46, p. 27). Parts are
independent, because different benchmarks ask different problems, so their variances add.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from runs.drift.comparability import NO_ITEMS
from runs.drift.intervals import Interval, Values, Z, variance_of_mean
from runs.drift.matrix import ScoreCell, ScoreMatrix

NO_SCORES = "nothing is scored yet"


@dataclass(frozen=True)
class Part:
    """One domain's share in a measure."""

    value: float
    influence: Values | None = None  # (n,) in units of the value; None where items are not known


@dataclass(frozen=True)
class Measure:
    """A number and the domains' parts it is the mean of; where `value` is None, `reason` says why."""

    value: float | None = None
    reason: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    interval: Interval | None = None  # 95 %, where it follows from the items
    why_no_interval: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)  # domain -> why it has no part
    worst: str | None = None  # the domain that the mean would hide


def mean_of(
    parts: Mapping[str, Part | str], reason: str, *, is_loss: bool = False, why_no_interval: str = NO_ITEMS
) -> Measure:
    """Average the parts; a string in the place of a part says why the domain has none.

    reason: why there is no value where no domain has a part. is_loss: the largest part is the worst, not the smallest.
    """
    found = {domain: part for domain, part in parts.items() if isinstance(part, Part)}
    left_out = {domain: part for domain, part in parts.items() if isinstance(part, str)}
    if not found:
        return Measure(reason=_with_why(reason, left_out), left_out=left_out)
    values = {domain: part.value for domain, part in found.items()}
    mean = sum(values.values()) / len(values)
    interval = _interval(mean, [part.influence for part in found.values()])
    worst = (max if is_loss else min)(values, key=lambda domain: values[domain])
    return Measure(mean, "", values, interval, "" if interval else why_no_interval, left_out, worst)


def score_part(cell: ScoreCell) -> Part:
    """Take a score as it is."""
    return Part(cell.mean, cell.values)


def difference_part(before: ScoreCell, after: ScoreCell) -> Part:
    """Take after - before of two comparable cells, item by item."""
    if before.values is None or after.values is None:
        return Part(after.mean - before.mean)
    return Part(after.mean - before.mean, after.values - before.values)


def ends(matrix: ScoreMatrix, row: str | None, start: str | None) -> tuple[str, str] | None:
    """Fill in the row that is judged (the last scored) and the start that drift is counted from; None without scores."""
    final, origin = matrix.final_row(), matrix.start_row()
    key, since = row or (final.key if final else None), start or (origin.key if origin else None)
    return (key, since) if key is not None and since is not None else None


def _interval(mean: float, influences: list[Values | None]) -> Interval | None:
    known = [influence for influence in influences if influence is not None and len(influence) > 1]
    if len(known) < len(influences):
        return None
    half = Z * float(np.sqrt(sum(variance_of_mean(influence) for influence in known))) / len(known)
    return mean - half, mean + half


def _with_why(reason: str, left_out: Mapping[str, str]) -> str:
    why = "; ".join(f"{domain}: {text}" for domain, text in left_out.items())
    return f"{reason} ({why})" if why else reason

"""One number for a whole cascade: transfer, forgetting, retention, average, and the drop that a mean would hide.

Each domain is a task, its own stage (`ScoreMatrix.own_row`) the moment it is trained, and everything is read along the
lineage of the row that is judged. Formulas with worked examples: docs/metrics.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from runs.drift.changes import Change, find_changes
from runs.drift.intervals import Interval, Z
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreCell, ScoreMatrix, rows_after


@dataclass(frozen=True)
class Measure:
    """A number and the domains' parts it is the mean of; where `value` is None, `reason` says why."""

    value: float | None = None
    reason: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    interval: Interval | None = None  # 95 %, where it follows from the items


@dataclass(frozen=True)
class Summary:
    """The measures of a run, as far as it has got."""

    row: str | None
    average: Measure
    backward_transfer: Measure
    forgetting: Measure
    forward_transfer: Measure
    retention: Measure
    worst_drop: Change


def summarize(matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None) -> Summary:
    """Measure a run at a row, by default the last that is scored."""
    return Summary(
        row=_row(matrix, row),
        average=average(matrix, row=row),
        backward_transfer=backward_transfer(matrix, row=row, start=start),
        forgetting=forgetting(matrix, row=row, start=start),
        forward_transfer=forward_transfer(matrix, row=row, start=start),
        retention=retention(matrix, row=row, start=start),
        worst_drop=worst_drop(matrix, row=row),
    )


def average(matrix: ScoreMatrix, *, row: str | None = None) -> Measure:
    """Average the scores of a row over all benchmarks (ACC; Lopez-Paz and Ranzato 2017); None if one is missing."""
    key = _row(matrix, row)
    if key is None:
        return Measure(reason="nothing is scored yet")
    cells = {column.domain: matrix.cell(key, column.domain) for column in matrix.columns}
    missing = [column.label for column in matrix.columns if cells[column.domain] is None]
    if missing:
        return Measure(reason=f"{', '.join(missing)} not scored")
    found = {domain: cell for domain, cell in cells.items() if cell is not None}
    return _mean({domain: cell.mean for domain, cell in found.items()}, "", _average_interval(list(found.values())))


def backward_transfer(matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None) -> Measure:
    """Average the change of each domain since its own stage (BWT; Lopez-Paz and Ranzato 2017); negative: forgotten."""
    key, origin = _row(matrix, row), _start(matrix, start)
    if key is None or origin is None:
        return Measure(reason="nothing is scored yet")
    parts, variance = {}, 0.0
    for column, own in _domains_behind(matrix, key, origin):
        before, after = matrix.cell(own.key, column.domain), matrix.cell(key, column.domain)
        if before and after and before.protocol == after.protocol:
            parts[column.domain] = after.mean - before.mean
            variance += _change_variance(before, after)
    interval = None if np.isnan(variance) or not parts else _around(_plain_mean(parts), variance, len(parts))
    return _mean(parts, "needs a domain whose own stage has later stages after it", interval)


def forgetting(
    matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None, with_start: bool = False
) -> Measure:
    """Average the drop of each domain from its best earlier score (F_k; Chaudhry et al. 2018, eq. 3); positive: forgot.

    The best is sought after the start, as in the paper; `with_start` is the variant that lets the start compete. Since
    the best of several noisy scores is read too high, F is biased upwards, and no interval is given.
    """
    key, origin = _row(matrix, row), _start(matrix, start)
    if key is None or origin is None:
        return Measure(reason="nothing is scored yet")
    line = matrix.lineage(key)
    earlier = line[:-1] if with_start else rows_after(line, origin)[:-1]
    parts = {}
    for column, _ in _domains_behind(matrix, key, origin):
        now = matrix.cell(key, column.domain)
        peaks = [
            cell.mean
            for r in earlier
            if (cell := matrix.cell(r.key, column.domain)) and now and cell.protocol == now.protocol
        ]
        if now and peaks:
            parts[column.domain] = max(peaks) - now.mean
    return _mean(parts, "needs a domain whose own stage has later stages after it")


def forward_transfer(matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None) -> Measure:
    """Average what each domain gained between the start and its own stage (FWT; Lopez-Paz and Ranzato 2017).

    The paper's baseline is an untrained model; a cascade starts from a trained one, so ours is the start's score.
    Domains trained by the very first stage have nothing before it and are left out.
    """
    key, origin = _row(matrix, row), _start(matrix, start)
    if key is None or origin is None:
        return Measure(reason="nothing is scored yet")
    stages, parts = rows_after(matrix.lineage(key), origin), {}
    for column in matrix.columns:
        first = next((at for at, r in enumerate(stages) if r.kind != "mopd" and column.domain in r.domains), None)
        before = matrix.cell(stages[first - 1].key, column.domain) if first else None
        baseline = matrix.cell(origin, column.domain)
        if before and baseline and before.protocol == baseline.protocol:
            parts[column.domain] = before.mean - baseline.mean
    return _mean(parts, "needs a domain that is trained after the first stage")


def retention(
    matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None, above_chance: bool = False
) -> Measure:
    """Average the share of its own stage's score that each domain has kept; `above_chance` subtracts guessing from both.

    A guard benchmark, which no stage trains, is held against the start.
    """
    key, origin = _row(matrix, row), _start(matrix, start)
    if key is None or origin is None:
        return Measure(reason="nothing is scored yet")
    parts = {}
    for column in matrix.columns:
        own = matrix.own_row(key, column.domain, start=origin) or matrix.row(origin)
        before, now = matrix.cell(own.key, column.domain), matrix.cell(key, column.domain)
        floor = column.chance if above_chance else 0.0
        if own.key != key and before and now and before.protocol == now.protocol and before.mean > floor:
            parts[column.domain] = (now.mean - floor) / (before.mean - floor)
    return _mean(parts, "needs a domain with a score above nothing at its own stage and at a later one")


def worst_drop(matrix: ScoreMatrix, *, row: str | None = None) -> Change:
    """Find the largest fall of one domain over one stage, in the row's lineage; it may be noise."""
    key = _row(matrix, row)
    if key is None:
        return Change("", "", reason="nothing is scored yet")
    line = {r.key for r in matrix.lineage(key)}
    falls = [
        c
        for c in find_changes(matrix, "previous").values()
        if c.row in line and c.difference is not None and c.difference < 0
    ]
    return min(
        falls, key=lambda c: c.difference or 0.0, default=Change(key, "", reason="no domain fell over any stage")
    )


def _domains_behind(matrix: ScoreMatrix, row: str, start: str) -> list[tuple[ColumnInfo, RowInfo]]:
    """List the domains whose own stage came before the row, with that stage."""
    owned = [(column, matrix.own_row(row, column.domain, start=start)) for column in matrix.columns]
    return [(column, own) for column, own in owned if own is not None and own.key != row]


def _row(matrix: ScoreMatrix, row: str | None) -> str | None:
    final = matrix.final_row()
    return row or (final.key if final else None)


def _start(matrix: ScoreMatrix, start: str | None) -> str | None:
    found = matrix.start_row()
    return start or (found.key if found else None)


def _mean(parts: Mapping[str, float], reason: str, interval: Interval | None = None) -> Measure:
    return Measure(_plain_mean(parts), "", parts, interval) if parts else Measure(reason=reason)


def _plain_mean(parts: Mapping[str, float]) -> float:
    return sum(parts.values()) / len(parts)


def _average_interval(cells: list[ScoreCell]) -> Interval | None:
    if any(cell.values is None or cell.n < 2 for cell in cells):
        return None
    variance = sum(float(cell.values.var(ddof=1)) / cell.n for cell in cells if cell.values is not None)
    return _around(sum(cell.mean for cell in cells) / len(cells), variance, len(cells))


def _change_variance(before: ScoreCell, after: ScoreCell) -> float:
    """Variance of a paired difference of means; NaN where the items are unknown."""
    if before.values is None or after.values is None or len(before.values) != len(after.values) or before.n < 2:
        return float("nan")
    return float((after.values - before.values).var(ddof=1)) / before.n


def _around(mean: float, variance_of_sum: float, n: int) -> Interval:
    """Normal interval of a mean of n independent parts: different benchmarks ask different problems."""
    half = Z * float(np.sqrt(variance_of_sum)) / n
    return mean - half, mean + half

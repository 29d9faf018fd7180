"""How much of what was learned is left, and how much of the way to the teachers is done: both are ratios of scores."""

from collections.abc import Mapping

from runs.drift.comparability import why_incomparable
from runs.drift.matrix import ColumnInfo, ScoreCell, ScoreMatrix
from runs.drift.measures import NO_SCORES, Measure, Part, ends, mean_of
from runs.drift.ratio import Ratio

LEAST_GAP = 0.01  # a point: published scores have one decimal, so a smaller gap may be nothing but rounding


def retention(
    matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None, above_chance: bool = False
) -> Measure:
    """Average the share of its own stage's score that each domain has kept; 0 upwards, 1: all kept.

    mean_j (R[T][j] - c_j) / (R[own(j)][j] - c_j), c_j the score of guessing with `above_chance`, else 0. Common use, no
    canonical form. A guard benchmark, which no stage trains, is held against the start.
    """
    found = ends(matrix, row, start)
    if found is None:
        return Measure(reason=NO_SCORES)
    key, origin = found
    parts = {}
    for column in matrix.columns:
        own = matrix.own_row(key, column.domain, start=origin) or matrix.row(origin)
        if own.key != key:
            before, now = matrix.cell(own.key, column.domain), matrix.cell(key, column.domain)
            parts[column.domain] = _kept(before, now, column.chance if above_chance else 0.0)
    return mean_of(parts, "needs a domain with a score above nothing at its own stage and at a later one")


def gap_closed(
    matrix: ScoreMatrix, teachers: Mapping[str, str], *, row: str | None = None, start: str | None = None
) -> Measure:
    """Average the part of the way from the start to its teacher that each domain has come; 1: at its teacher's level.

    mean_j (R[T][j] - R[start][j]) / (R[teacher(j)][j] - R[start][j]) (MOPD-X, arXiv 2606.30406: the normalised score).
    Negative: below the start. teachers: domain -> row. A domain whose teacher is above the start by no more than noise,
    or by less than a point, has no part.
    """
    found = ends(matrix, row, start)
    if found is None:
        return Measure(reason=NO_SCORES)
    parts = {
        column.domain: _closed(matrix, column, teachers[column.domain], *found)
        for column in matrix.columns
        if column.domain in teachers
    }
    return mean_of(parts, "needs a domain with a teacher above the start")


def _kept(before: ScoreCell | None, now: ScoreCell | None, floor: float) -> Part | str:
    if before is None or now is None:
        return "its own stage is not scored" if before is None else "not scored"
    if why := why_incomparable(before, now):
        return why
    least = before.interval[0] if before.interval else before.mean
    if least <= floor:
        return f"its own stage is above {'guessing' if floor else 'nothing'} by no more than noise"
    height = before.mean - floor
    share = (now.mean - floor) / height
    if before.values is None or now.values is None:
        return Part(share)
    return Part(share, (now.values - share * before.values) / height)


def _closed(matrix: ScoreMatrix, column: ColumnInfo, teacher: str, row: str, start: str) -> Part | str:
    before, now, goal = (matrix.cell(key, column.domain) for key in (start, row, teacher))
    if before is None or now is None or goal is None:
        return f"{'the start' if before is None else 'it' if now is None else 'its teacher'} is not scored"
    if why := why_incomparable(before, now) or why_incomparable(before, goal):
        return why
    ratio = Ratio.of(before, now, goal)
    if ratio.gap < LEAST_GAP or not ratio.is_beyond_noise:
        return "its teacher is above the start by less than a point or no more than noise"
    if before.values is None or now.values is None or goal.values is None:
        return Part(ratio.fraction)
    pull = (now.values - before.values) - ratio.fraction * (goal.values - before.values)
    return Part(ratio.fraction, pull / ratio.gap)

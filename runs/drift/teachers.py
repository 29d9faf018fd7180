"""Which checkpoint teaches which domain."""

from collections.abc import Collection
from dataclasses import dataclass

from runs.drift.changes import change_between
from runs.drift.comparability import why_incomparable
from runs.drift.intervals import ALPHA
from runs.drift.matrix import RowInfo, ScoreCell, ScoreMatrix


@dataclass(frozen=True)
class TeacherChoice:
    """The best checkpoint of a domain; `margin` over the second best is None where there is no second."""

    row: str
    score: float
    runner_up: str | None = None
    margin: float | None = None
    is_tie: bool = False  # the margin is within noise, so another draw of problems may have chosen the other


def choose_teachers(validation: ScoreMatrix, *, rows: Collection[str] | None = None) -> dict[str, TeacherChoice]:
    """Pick the best row of each domain, the earliest of equals; domains without any score are left out.

    Give scores on validation problems, never on those that are reported: the best of several noisy scores is too high
    on the problems it was picked by. rows: the candidates; left out, all rows. Scores that may not be compared with the
    last candidate's are no candidates: they were taken otherwise, and higher may mean easier.
    """
    chosen = {}
    for column in validation.columns:
        scored = [
            (row, cell)
            for row in validation.rows
            if (rows is None or row.key in rows) and (cell := validation.cell(row.key, column.domain)) is not None
        ]
        scored = [pair for pair in scored if not why_incomparable(pair[1], scored[-1][1])]
        if scored:
            chosen[column.domain] = _choose(validation, column.domain, scored)
    return chosen


def _choose(matrix: ScoreMatrix, domain: str, scored: list[tuple[RowInfo, ScoreCell]]) -> TeacherChoice:
    ranked = sorted(scored, key=lambda pair: -pair[1].mean)  # stable: the earliest of equals stays first
    best = ranked[0]
    if len(ranked) == 1:
        return TeacherChoice(best[0].key, best[1].mean)
    second = ranked[1]
    change = change_between(matrix, domain, second[0].key, best[0].key)
    margin = best[1].mean - second[1].mean
    is_tie = margin == 0 or (change.p_value is not None and change.p_value >= ALPHA)
    return TeacherChoice(best[0].key, best[1].mean, second[0].key, margin, is_tie)

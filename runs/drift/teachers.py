"""Which checkpoint teaches which domain, and how few checkpoints are enough."""

from collections.abc import Collection, Iterator, Mapping
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


def cheapest_teachers(validation: ScoreMatrix) -> dict[str, str]:
    """Give every domain a teacher out of as few checkpoints as possible, each within noise of the domain's best.

    Every teacher is one more model in memory. Of the smallest sets it is the one with the highest scores. "Within noise"
    is not "as good": on few problems a checkpoint that is worse may pass.
    """
    fit = {domain: _within_noise(validation, domain, best.row) for domain, best in choose_teachers(validation).items()}
    for size in range(1, len(fit) + 1):
        taught = [_assign(validation, fit, cover) for cover in _covers(fit, frozenset(), size)]
        if taught:
            return max(taught, key=lambda rows: sum(_mean(validation, row, domain) for domain, row in rows.items()))
    return {}


def _within_noise(matrix: ScoreMatrix, domain: str, best: str) -> list[str]:
    """List the rows that a paired test cannot tell from the best, in their order."""
    found = []
    for row in matrix.rows:
        change = change_between(matrix, domain, best, row.key)
        is_alike = change.difference == 0 or (change.p_value is not None and change.p_value >= ALPHA)
        if row.key == best or is_alike:
            found.append(row.key)
    return found


def _covers(fit: Mapping[str, list[str]], chosen: frozenset[str], size: int) -> Iterator[frozenset[str]]:
    """Yield the sets of at most `size` rows that have a fit for every domain; the hardest domain decides first."""
    open_domains = [domain for domain, rows in fit.items() if chosen.isdisjoint(rows)]
    if not open_domains:
        yield chosen
    elif len(chosen) < size:
        for row in min((fit[domain] for domain in open_domains), key=len):
            yield from _covers(fit, chosen | {row}, size)


def _assign(matrix: ScoreMatrix, fit: Mapping[str, list[str]], cover: frozenset[str]) -> dict[str, str]:
    return {
        domain: max((row for row in rows if row in cover), key=lambda row: _mean(matrix, row, domain))
        for domain, rows in fit.items()
    }


def _mean(matrix: ScoreMatrix, row: str, domain: str) -> float:
    return cell.mean if (cell := matrix.cell(row, domain)) else 0.0


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

"""What stages do to each other's domains: average score, transfer backward and forward, forgetting, intransigence.

R[i][j] is the score of domain j after stage i, 0 to 1, higher is better; T the row that is judged. Each domain is a task,
its own stage (`ScoreMatrix.own_row`) the moment it is trained, and everything is read along the lineage of T.
"""

from collections.abc import Mapping

from runs.drift.comparability import NO_ITEMS, why_incomparable
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreCell, ScoreMatrix, rows_after
from runs.drift.measures import NO_SCORES, Measure, Part, difference_part, ends, mean_of, score_part

NOTHING_BEHIND = "needs a domain whose own stage has later stages after it"


def average(matrix: ScoreMatrix, *, row: str | None = None) -> Measure:
    """Average the scores of a row over all benchmarks of the recipe; 0 to 1.

    ACC = mean_j R[T][j] (Lopez-Paz and Ranzato 2017, arXiv 1706.08840, section 2). Undefined where a score is missing,
    because a mean over fewer benchmarks is another number.
    """
    found = ends(matrix, row, None)
    if found is None:
        return Measure(reason=NO_SCORES)
    cells = {column.domain: matrix.cell(found[0], column.domain) for column in matrix.averaged}
    missing = [column.label for column in matrix.averaged if cells[column.domain] is None]
    if missing:
        return Measure(reason=f"{', '.join(missing)} not scored")
    return mean_of({domain: score_part(cell) for domain, cell in cells.items() if cell is not None}, NO_SCORES)


def backward_transfer(matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None) -> Measure:
    """Average the change of each domain since its own stage; -1 to 1, negative: forgotten.

    BWT = mean_j (R[T][j] - R[own(j)][j]) over domains with own(j) before T (Lopez-Paz and Ranzato 2017, section 2).
    """
    found = ends(matrix, row, start)
    if found is None:
        return Measure(reason=NO_SCORES)
    parts = {
        column.domain: _change(matrix, column, own, matrix.row(found[0]))
        for column, own in _domains_behind(matrix, *found)
    }
    return mean_of(parts, NOTHING_BEHIND)


def forward_transfer(matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None) -> Measure:
    """Average what each domain gained between the start and its own stage; -1 to 1, positive: earlier stages helped.

    FWT = mean_j (R[before own(j)][j] - R[start][j]) (Lopez-Paz and Ranzato 2017, section 2). The paper's baseline is an
    untrained model; a cascade starts from a trained one, so ours is the start's score. Domains trained by the very first
    stage have nothing before it and are left out.
    """
    found = ends(matrix, row, start)
    if found is None:
        return Measure(reason=NO_SCORES)
    stages, parts = rows_after(matrix.lineage(found[0]), found[1]), {}
    for column in matrix.columns:
        first = next((at for at, r in enumerate(stages) if r.kind != "mopd" and column.domain in r.domains), None)
        if first:
            parts[column.domain] = _change(matrix, column, matrix.row(found[1]), stages[first - 1])
    return mean_of(parts, "needs a domain that is trained after the first stage")


def forgetting(
    matrix: ScoreMatrix,
    *,
    row: str | None = None,
    start: str | None = None,
    with_start: bool = False,
    validation: ScoreMatrix | None = None,
) -> Measure:
    """Average the drop of each domain from its best earlier score; -1 to 1, positive: forgot.

    F = mean_j (max_l R[l][j] - R[T][j]), start < l < T, over the domains of BWT (Chaudhry et al. 2018, arXiv 1801.10112,
    eq. 3). `with_start` is the variant that lets the start compete. The best of several noisy scores is read too high,
    so F is biased upwards and has no interval, unless `validation` scores, of other problems, choose the best row.
    """
    found = ends(matrix, row, start)
    if found is None:
        return Measure(reason=NO_SCORES)
    line = matrix.lineage(found[0])
    earlier = line[:-1] if with_start else rows_after(line, found[1])[:-1]
    parts = {
        column.domain: _drop(matrix, column, earlier, line[-1], validation)
        for column, _ in _domains_behind(matrix, *found)
    }
    why = NO_ITEMS if validation else "the best of several noisy scores is read too high; validation scores would tell"
    return mean_of(parts, NOTHING_BEHIND, is_loss=True, why_no_interval=why)


def intransigence(
    matrix: ScoreMatrix,
    references: Mapping[str, ScoreCell],
    *,
    row: str | None = None,
    start: str | None = None,
) -> Measure:
    """Average how far each domain's own stage stayed below a reference model; -1 to 1, positive: failed to learn.

    I = mean_j (reference_j - R[own(j)][j]) (Chaudhry et al. 2018, eq. 4), where the paper's reference is trained on all
    tasks up to own(j) together. references: domain -> its score; a specialist of the domain is a variant, to be labelled.
    """
    found = ends(matrix, row, start)
    if found is None:
        return Measure(reason=NO_SCORES)
    parts = {
        column.domain: _shortfall(matrix.cell(own.key, column.domain), references.get(column.domain))
        for column in matrix.columns
        if (own := matrix.own_row(found[0], column.domain, start=found[1])) is not None
    }
    return mean_of(parts, "needs a domain with an own stage and a reference model's score", is_loss=True)


def _domains_behind(matrix: ScoreMatrix, row: str, start: str) -> list[tuple[ColumnInfo, RowInfo]]:
    """List the domains whose own stage came before the row, with that stage."""
    owned = [(column, matrix.own_row(row, column.domain, start=start)) for column in matrix.columns]
    return [(column, own) for column, own in owned if own is not None and own.key != row]


def _change(matrix: ScoreMatrix, column: ColumnInfo, since: RowInfo, until: RowInfo) -> Part | str:
    before, after = matrix.cell(since.key, column.domain), matrix.cell(until.key, column.domain)
    if before is None or after is None:
        return f"{(since if before is None else until).title} is not scored"
    return why_incomparable(before, after) or difference_part(before, after)


def _drop(
    matrix: ScoreMatrix,
    column: ColumnInfo,
    earlier: tuple[RowInfo, ...],
    row: RowInfo,
    validation: ScoreMatrix | None,
) -> Part | str:
    """Take best - now; the influence is that of the chosen row, known only where other problems chose it."""
    now = matrix.cell(row.key, column.domain)
    if now is None:
        return f"{row.title} is not scored"
    peak = _best(validation or matrix, column.domain, earlier, row.key)
    best = matrix.cell(peak, column.domain) if peak else None
    if best is None:
        return "no earlier stage has a comparable score"
    if why := why_incomparable(best, now):
        return why
    return difference_part(now, best) if validation else Part(best.mean - now.mean)


def _best(matrix: ScoreMatrix, domain: str, earlier: tuple[RowInfo, ...], row: str) -> str | None:
    now = matrix.cell(row, domain)
    cells = [cell for r in earlier if (cell := matrix.cell(r.key, domain)) and now and not why_incomparable(cell, now)]
    return max(cells, key=lambda cell: cell.mean).row if cells else None


def _shortfall(own: ScoreCell | None, reference: ScoreCell | None) -> Part | str:
    if reference is None:
        return "no reference model"
    if own is None:
        return "its own stage is not scored"
    return why_incomparable(own, reference) or difference_part(own, reference)

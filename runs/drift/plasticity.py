"""Plasticity: what each domain gained in its own stage, the other side of keeping what was learned."""

from runs.drift.comparability import why_incomparable
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreMatrix
from runs.drift.measures import NO_SCORES, Measure, Part, difference_part, ends, mean_of


def plasticity(matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None) -> Measure:
    """Average the change of each domain over its own stage; -1 to 1, positive: stages taught what they were for.

    mean_j (R[own(j)][j] - R[before own(j)][j]); common use, no canonical form. A cascade that forgets nothing because it
    learns nothing has a good BWT and no plasticity, so both are read together.
    """
    found = ends(matrix, row, start)
    if found is None:
        return Measure(reason=NO_SCORES)
    parts = {
        column.domain: _gain(matrix, column, own)
        for column in matrix.columns
        if (own := matrix.own_row(found[0], column.domain, start=found[1])) is not None
    }
    return mean_of(parts, "needs a domain with a stage of its own")


def _gain(matrix: ScoreMatrix, column: ColumnInfo, own: RowInfo) -> Part | str:
    before = matrix.cell(own.parent, column.domain) if own.parent else None
    after = matrix.cell(own.key, column.domain)
    if before is None or after is None:
        return "its own stage is not scored" if after is None else "what its own stage starts from is not scored"
    return why_incomparable(before, after) or difference_part(before, after)

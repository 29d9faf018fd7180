"""All measures of a run at once, and the drop that a mean would hide."""

from dataclasses import dataclass

from runs.drift.changes import Change, ChangeMatrix, find_changes
from runs.drift.matrix import ScoreMatrix
from runs.drift.measures import NO_SCORES, Measure, ends
from runs.drift.plasticity import plasticity
from runs.drift.retention import retention
from runs.drift.transfer import average, backward_transfer, forgetting, forward_transfer

__all__ = ["Measure", "Summary", "summarize", "worst_drop"]


@dataclass(frozen=True)
class Summary:
    """The measures of a run, as far as it has got."""

    row: str | None
    average: Measure
    backward_transfer: Measure
    forgetting: Measure
    forward_transfer: Measure
    retention: Measure
    plasticity: Measure
    worst_drop: Change


def summarize(
    matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None, since_previous: ChangeMatrix | None = None
) -> Summary:
    """Measure a run at a row, by default the last that is scored.

    since_previous: `find_changes(matrix, "previous")`, where it is known already.
    """
    final = matrix.final_row()
    return Summary(
        row=row or (final.key if final else None),
        average=average(matrix, row=row),
        backward_transfer=backward_transfer(matrix, row=row, start=start),
        forgetting=forgetting(matrix, row=row, start=start),
        forward_transfer=forward_transfer(matrix, row=row, start=start),
        retention=retention(matrix, row=row, start=start),
        plasticity=plasticity(matrix, row=row, start=start),
        worst_drop=worst_drop(matrix, row=row, since_previous=since_previous),
    )


def worst_drop(matrix: ScoreMatrix, *, row: str | None = None, since_previous: ChangeMatrix | None = None) -> Change:
    """Find the largest fall of one domain over one stage, in the row's lineage; it may be noise. -1 to 0.

    min over i, j of R[i][j] - R[i-1][j]. Shown beside every mean, because a mean hides one domain that collapsed.
    """
    found = ends(matrix, row, None)
    if found is None:
        return Change("", "", reason=NO_SCORES)
    line = {r.key for r in matrix.lineage(found[0])}
    changes = find_changes(matrix, "previous") if since_previous is None else since_previous
    falls = [c for c in changes.values() if c.row in line and c.difference is not None and c.difference < 0]
    nothing = Change(found[0], "", reason="no domain fell over any stage")
    return min(falls, key=lambda c: c.difference or 0.0, default=nothing)

"""Two runs held against each other: stage by stage where they have the same names, and end against end.

    change = R_ours[i][j] - R_baseline[i][j], -1 to 1

Runs that answer the same problems are paired item by item, exactly as two checkpoints of one run are.
"""

from collections.abc import Sequence

from runs.drift.changes import Change, ChangeMatrix, correct
from runs.drift.comparability import NO_ITEMS, why_incomparable
from runs.drift.matrix import ScoreMatrix
from runs.drift.paired import compare

MAX_RUNS = 20  # side by side; of more, no reader tells the lines apart


def align_rows(matrices: Sequence[ScoreMatrix]) -> list[str]:
    """List the row keys of all runs in one order: the first run's, each other one behind the row it follows in its run."""
    order: list[str] = []
    for matrix in matrices:
        at = 0
        for row in matrix.rows:
            if row.key not in order:
                order.insert(at, row.key)
            at = order.index(row.key) + 1
    return order


def compare_runs(baseline: ScoreMatrix, ours: ScoreMatrix) -> ChangeMatrix:
    """Compare the rows that both runs have by name; Holm's correction is over each row."""
    known = {row.key for row in baseline.rows}
    return correct(
        {
            (row.key, column.domain): _difference(baseline, ours, row.key, row.key, column.domain)
            for row in ours.rows
            if row.key in known
            for column in ours.columns
        },
        family="row",
    )


def compare_ends(baseline: ScoreMatrix, ours: ScoreMatrix) -> list[Change]:
    """Compare the last scored rows of two runs, whatever their names; empty where a run has none."""
    before, after = baseline.final_row(), ours.final_row()
    if before is None or after is None:
        return []
    return list(
        correct(
            {
                (after.key, column.domain): _difference(baseline, ours, before.key, after.key, column.domain)
                for column in ours.columns
            }
        ).values()
    )


def _difference(baseline: ScoreMatrix, ours: ScoreMatrix, before: str, after: str, column: str) -> Change:
    theirs, mine = baseline.cell(before, column), ours.cell(after, column)
    if theirs is None or mine is None:
        return Change(after, column, before, reason="not scored" if mine is None else "not scored in the baseline")
    if refusal := why_incomparable(theirs, mine):
        return Change(after, column, before, reason=refusal)
    if theirs.values is None or mine.values is None:
        return Change(after, column, before, mine.mean - theirs.mean, reason=NO_ITEMS)
    found = compare(theirs.values, mine.values, k=(theirs.averaged, mine.averaged))
    return Change(after, column, before, found.difference, found.interval, found.p_value, found.p_value, found.test)

"""Where to look for the cause of a change: which stage did it, and how its curves moved."""

from itertools import pairwise

from runs.drift.comparability import why_incomparable
from runs.drift.matrix import RowInfo, ScoreMatrix


def decisive_row(matrix: ScoreMatrix, column: str, before: str, after: str) -> RowInfo:
    """Find the row whose step did most of the change from one checkpoint to a later one of its line.

    A step runs from one comparable score to the next. Where the later checkpoint does not descend from the earlier one
    it is the later one itself.
    """
    line = matrix.lineage(after)
    keys, end = [row.key for row in line], matrix.cell(after, column)
    if end is None or before not in keys[:-1]:
        return matrix.row(after)
    scored = [
        cell
        for row in line[keys.index(before) :]
        if (cell := matrix.cell(row.key, column)) is not None and not why_incomparable(cell, end)
    ]
    steps = [(new.mean - old.mean, new.row) for old, new in pairwise(scored)]
    if not steps:
        return matrix.row(after)
    choose = min if scored[-1].mean < scored[0].mean else max
    return matrix.row(choose(steps, key=lambda step: step[0])[1])


def thirds(n_steps: int) -> tuple[int, int]:
    """Cut steps 1 to n: the last step of the first third, and the first step of the last one; never none of them."""
    third = max(1, n_steps // 3)
    return third, n_steps - third + 1

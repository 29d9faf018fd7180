"""How each score changed: since the start, since the stage before, since its peak, since its own stage.

A change is significant where its p-value, after Holm's correction over the row it stands in, is below 0.05. The row is
the family because a checkpoint's scores are read together, and because a stage that is scored later must not turn an
earlier finding grey.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from runs.drift.intervals import ALPHA, Interval, compare, holm
from runs.drift.matrix import RowInfo, ScoreCell, ScoreMatrix, rows_after

Since = Literal["start", "previous", "peak", "own"]
SINCE: tuple[Since, ...] = get_args(Since)


@dataclass(frozen=True)
class Change:
    """One score's change since a reference; where `difference` is None, `reason` says why."""

    row: str
    column: str
    reference: str | None = None  # the row it is compared with
    difference: float | None = None
    interval: Interval | None = None  # 95 %, of this change alone
    p_value: float | None = None  # of this change alone
    adjusted_p: float | None = None  # after Holm over the row
    test: str = ""
    reason: str = ""

    @property
    def is_known(self) -> bool:
        """Whether noise can be told from change at all."""
        return self.adjusted_p is not None

    @property
    def is_significant(self) -> bool:
        return self.adjusted_p is not None and self.adjusted_p < ALPHA

    @property
    def is_gain(self) -> bool:
        return self.is_significant and self.difference is not None and self.difference > 0

    @property
    def is_loss(self) -> bool:
        return self.is_significant and self.difference is not None and self.difference < 0


ChangeMatrix = Mapping[tuple[str, str], Change]  # (row key, column domain); every cell is there


def find_changes(matrix: ScoreMatrix, since: Since, *, start: str | None = None) -> ChangeMatrix:
    """Compare every cell with its reference.

    start: the row drift is counted from; left out, the first SFT row, or the first row of a run without SFT.
    """
    found: dict[tuple[str, str], Change] = {}
    for row in matrix.rows:
        found.update(
            {(row.key, change.column): change for change in find_changes_of_row(matrix, row.key, since, start=start)}
        )
    return found


def find_changes_of_row(matrix: ScoreMatrix, row: str, since: Since, *, start: str | None = None) -> list[Change]:
    """Compare one checkpoint's scores with their references, corrected for being asked together."""
    origin = start or _key(matrix.start_row())
    return _with_holm([_change(matrix, row, column.domain, since, origin) for column in matrix.columns])


def change_between(matrix: ScoreMatrix, column: str, before: str, after: str) -> Change:
    """Compare two checkpoints on one benchmark; the p-value stands alone."""
    return _with_holm([_change_since(matrix, after, column, matrix.row(before), "")])[0]


def why_incomparable(before: ScoreCell, after: ScoreCell) -> str:
    """Say why two cells must not be compared; empty where they may."""
    if before.protocol != after.protocol:
        return "scored under another protocol"
    if before.values is not None and after.values is not None and len(before.values) != len(after.values):
        return f"scored on {before.n} and on {after.n} problems"
    return ""


def _change(matrix: ScoreMatrix, row: str, column: str, since: Since, start: str) -> Change:
    if matrix.cell(row, column) is None:
        return Change(row, column, reason="not scored")
    reference, reason = _reference(matrix, row, column, since, start)
    return _change_since(matrix, row, column, reference, reason)


def _change_since(matrix: ScoreMatrix, row: str, column: str, reference: RowInfo | None, reason: str) -> Change:
    if reference is None:
        return Change(row, column, reason=reason)
    after, before = matrix.cell(row, column), matrix.cell(reference.key, column)
    if after is None or before is None:
        missing = matrix.row(row) if after is None else reference
        return Change(row, column, reference.key, reason=f"{missing.title} is not scored")
    if refusal := why_incomparable(before, after):
        return Change(row, column, reference.key, reason=refusal)
    if before.values is None or after.values is None:
        return Change(
            row, column, reference.key, after.mean - before.mean, reason="no item results, so noise is unknown"
        )
    found = compare(before.values, after.values)
    return Change(
        row, column, reference.key, found.difference, found.interval, found.p_value, found.p_value, found.test
    )


def _reference(matrix: ScoreMatrix, row: str, column: str, since: Since, start: str) -> tuple[RowInfo | None, str]:
    """Find the row to compare with, or say why there is none."""
    line = matrix.lineage(row)
    if since == "previous":
        return (line[-2], "") if len(line) > 1 else (None, "starts from nothing that is scored")
    if since == "peak":
        return _peak(matrix, line[:-1], column), "first of its line"
    if row == start:
        return None, "this is the start"
    if start not in [ancestor.key for ancestor in line]:
        return None, "does not descend from the start"
    if since == "start":
        return matrix.row(start), ""
    return _own_reference(matrix, row, column, start)


def _own_reference(matrix: ScoreMatrix, row: str, column: str, start: str) -> tuple[RowInfo | None, str]:
    own = matrix.own_row(row, column, start=start)
    if own is not None:
        return (None, "this is its own stage") if own.key == row else (own, "")
    if any(column in r.domains for r in rows_after(matrix.rows, start) if r.kind != "mopd"):
        return None, "no stage before it trains the domain"
    return matrix.row(start), ""  # a guard benchmark: no stage trains it, so the start is all there is to keep


def _peak(matrix: ScoreMatrix, earlier: tuple[RowInfo, ...], column: str) -> RowInfo | None:
    """Find the best of the earlier rows; the earliest of equals."""
    best: tuple[float, RowInfo] | None = None
    for row in earlier:
        cell = matrix.cell(row.key, column)
        if cell is not None and (best is None or cell.mean > best[0]):
            best = (cell.mean, row)
    return best[1] if best else None


def _with_holm(row: list[Change]) -> list[Change]:
    tested = [change for change in row if change.p_value is not None]
    adjusted = iter(holm([change.p_value for change in tested if change.p_value is not None]))
    return [replace(change, adjusted_p=next(adjusted)) if change.p_value is not None else change for change in row]


def _key(row: RowInfo | None) -> str:
    return row.key if row else ""

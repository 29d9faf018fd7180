"""How each score changed: since the start, the stage before, its peak, its own stage, or any chosen checkpoint.

    change = R[i][j] - R[reference][j], -1 to 1, of benchmark j after stage i

A change is significant where its p-value, after Holm's correction over the row it stands in, is below 0.05. The row is
the family because a checkpoint's scores are read together, and because a stage that is scored later must not turn an
earlier finding grey. `correct` asks the whole matrix at once, or bounds the share of false findings, where that is wanted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from runs.drift.comparability import NO_ITEMS, why_incomparable
from runs.drift.families import CORRECTIONS, Correction
from runs.drift.intervals import ALPHA, Interval
from runs.drift.matrix import RowInfo, ScoreMatrix, rows_after
from runs.drift.paired import compare

Since = Literal["start", "previous", "peak", "own"]
SINCE: tuple[Since, ...] = get_args(Since)
Family = Literal["row", "matrix"]  # which changes are asked together


@dataclass(frozen=True)
class Change:
    """One score's change since a reference; where `difference` is None, `reason` says why."""

    row: str
    column: str
    reference: str | None = None  # the row it is compared with
    difference: float | None = None
    interval: Interval | None = None  # 95 %, of this change alone
    p_value: float | None = None  # of this change alone
    adjusted_p: float | None = None  # after the correction for all that was asked with it
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
    return _corrected([_change(matrix, row, column.domain, since, origin) for column in matrix.columns])


def find_changes_against(matrix: ScoreMatrix, reference: str) -> ChangeMatrix:
    """Compare every cell with one chosen row, corrected over each row; the row may be on another branch."""
    chosen = matrix.row(reference)
    found: dict[tuple[str, str], Change] = {}
    for row in matrix.rows:
        is_itself = row.key == reference
        changes = _corrected(
            [
                _change_since(matrix, row.key, c.domain, None if is_itself else chosen, "this is the reference")
                for c in matrix.columns
            ]
        )
        found.update({(row.key, change.column): change for change in changes})
    return found


def correct(changes: ChangeMatrix, *, method: Correction = "holm", family: Family = "matrix") -> ChangeMatrix:
    """Adjust the p-values of all changes anew: over the whole matrix or each row, by Holm or Benjamini and Hochberg."""
    groups: dict[str, list[Change]] = {}
    for change in changes.values():
        groups.setdefault(change.row if family == "row" else "", []).append(change)
    return {(c.row, c.column): c for group in groups.values() for c in _corrected(group, method)}


def change_between(matrix: ScoreMatrix, column: str, before: str, after: str) -> Change:
    """Compare two checkpoints on one benchmark; the p-value stands alone."""
    return _corrected([_change_since(matrix, after, column, matrix.row(before), "")])[0]


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
        return Change(row, column, reference.key, after.mean - before.mean, reason=NO_ITEMS)
    found = compare(before.values, after.values, k=(before.averaged, after.averaged))
    return Change(
        row, column, reference.key, found.difference, found.interval, found.p_value, found.p_value, found.test
    )


def _reference(matrix: ScoreMatrix, row: str, column: str, since: Since, start: str) -> tuple[RowInfo | None, str]:
    """Find the row to compare with, or say why there is none."""
    line = matrix.lineage(row)
    if since == "previous":
        return (line[-2], "") if len(line) > 1 else (None, "starts from nothing that is scored")
    if since == "peak":
        return _peak(matrix, line, column), _why_no_peak(matrix, line, column)
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


def _peak(matrix: ScoreMatrix, line: tuple[RowInfo, ...], column: str) -> RowInfo | None:
    """Find the best of the earlier rows that may be compared with the last; the earliest of equals."""
    now, best = matrix.cell(line[-1].key, column), None
    for row in line[:-1]:
        cell = matrix.cell(row.key, column)
        if cell and now and not why_incomparable(cell, now) and (best is None or cell.mean > best[0]):
            best = (cell.mean, row)
    return best[1] if best else None


def _why_no_peak(matrix: ScoreMatrix, line: tuple[RowInfo, ...], column: str) -> str:
    if any(matrix.cell(row.key, column) for row in line[:-1]):
        return "all earlier scores are of another protocol, version or problems"
    return "first of its line"


def _corrected(asked: list[Change], method: Correction = "holm") -> list[Change]:
    adjusted = iter(CORRECTIONS[method]([change.p_value for change in asked if change.p_value is not None]))
    return [replace(change, adjusted_p=next(adjusted)) if change.p_value is not None else change for change in asked]


def _key(row: RowInfo | None) -> str:
    return row.key if row else ""

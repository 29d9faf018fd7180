"""The numbers behind each picture of the drift page as plain tables: CSV for a spreadsheet, JSON for a program.

Scores and changes are fractions, as everywhere but on a page: 0.713 is 71.3 points. What is undefined is empty (CSV) or
null (JSON), and the column `reason` says why.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runs.drift.changes import Change, ChangeMatrix
from runs.drift.intervals import Interval
from runs.drift.matrix import ScoreCell
from runs.drift.measures import Measure
from runs.drift.recovery import DomainRecovery, Recovery
from runs.report import DriftReport

Value = str | float | int | bool | None
MEASURES = ("average", "backward_transfer", "forgetting", "retention", "plasticity", "forward_transfer")


@dataclass(frozen=True)
class Table:
    """A table with named columns; every row has a value for each."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]


def drift_table(report: DriftReport, name: str, changes: ChangeMatrix) -> Table | None:
    """Find a table by its name: curves, matrix, measures or recovery-STAGE; None where the report has none of it.

    changes: those that the matrix shows.
    """
    makers: dict[str, Callable[[], Table]] = {
        "curves": lambda: _scores(report),
        "matrix": lambda: _changes(report, changes),
        "measures": lambda: _measures(report),
        **{f"recovery-{found.row}": lambda found=found: _recovery(found) for found in report.recoveries},  # type: ignore[misc]
    }
    return makers[name]() if name in makers else None


def to_csv(table: Table) -> str:
    """Write a table as RFC 4180 has it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return text.getvalue()


def to_json(table: Table) -> str:
    """Write a table as a list of objects."""
    return json.dumps([dict(zip(table.columns, row, strict=True)) for row in table.rows], ensure_ascii=False, indent=1)


def _scores(report: DriftReport) -> Table:
    """Every score there is, with what it may be joined with."""
    matrix = report.matrix
    broken = {(found.after, found.column): found.reason for found in report.breaks}
    columns = (
        "checkpoint", "kind", "starts_from", "benchmark", "score", "low", "high", "n", "answers_per_problem",
        "version", "digest", "break",
    )  # fmt: skip
    rows = [
        (
            row.key, row.kind, row.parent, column.domain, cell.mean, *_ends(cell.interval), cell.n, cell.samples,
            cell.version, cell.protocol, broken.get((row.key, column.domain), ""),
        )
        for row in matrix.rows
        for column in matrix.columns
        if (cell := matrix.cell(row.key, column.domain))
    ]  # fmt: skip
    return Table(columns, rows)


def _changes(report: DriftReport, changes: ChangeMatrix) -> Table:
    """A line for every cell of the matrix, with its change as the page shows it."""
    matrix = report.matrix
    columns = (
        "checkpoint", "benchmark", "score", "low", "high", "n", "since", "change", "change_low", "change_high",
        "p", "adjusted_p", "is_significant", "test", "reason",
    )  # fmt: skip
    rows = [
        _change_row(row.key, column.domain, matrix.cell(row.key, column.domain), changes[row.key, column.domain])
        for row in matrix.rows
        for column in matrix.columns
    ]
    return Table(columns, rows)


def _change_row(row: str, domain: str, cell: ScoreCell | None, change: Change) -> Sequence[Value]:
    score = (cell.mean, *_ends(cell.interval), cell.n) if cell else (None, None, None, None)
    is_significant = change.is_significant if change.is_known else None
    tested = (change.p_value, change.adjusted_p, is_significant, change.test, change.reason)
    return (row, domain, *score, change.reference, change.difference, *_ends(change.interval), *tested)


def _measures(report: DriftReport) -> Table:
    """Each measure, then the part of each domain."""
    rows: list[Sequence[Value]] = []
    for name in MEASURES:
        measure: Measure = getattr(report.summary, name)
        rows.append((name, None, measure.value, *_ends(measure.interval), measure.reason))
        rows += [(name, domain, value, None, None, "") for domain, value in measure.parts.items()]
        rows += [(name, domain, None, None, None, reason) for domain, reason in measure.left_out.items()]
    return Table(("measure", "domain", "value", "low", "high", "reason"), rows)


def _recovery(found: Recovery) -> Table:
    columns = ("domain", "teacher", "before", "after", "teacher_score", "recovered", "low", "high", "is_lost", "reason")
    together = (None, None, None, None, None, found.fraction, *_ends(found.interval), None, found.reason)
    return Table(columns, [*(_recovered(domain) for domain in found.domains), together])


def _recovered(found: DomainRecovery) -> Sequence[Value]:
    levels = [cell.mean if cell else None for cell in (found.before, found.after, found.teacher)]
    share = (found.fraction, *_ends(found.interval))
    return (found.domain, found.teacher_row, *levels, *share, found.is_lost, found.reason)


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return interval or (None, None)

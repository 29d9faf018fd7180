"""The stages x benchmarks matrix as the page shows it: a table of cells with their words, tones and bars."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

from runs.drift import words
from runs.drift.changes import Change
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreCell
from runs.report import DriftReport

Show = Literal["score", "start", "previous", "peak", "own"]
SHOWS: dict[Show, str] = {
    "score": "Score",
    "previous": "vs previous",
    "start": "vs start",
    "peak": "vs peak",
    "own": "vs own stage",
}
_SCALE = 0.3  # a change of 30 points has the full colour
assert set(SHOWS) == set(get_args(Show))


@dataclass(frozen=True)
class CellView:
    """One cell: `tone` is score, gain, loss, noise or none; low, high and at place the interval's bar, in per cent."""

    column: ColumnInfo
    text: str
    tone: str
    about: str
    mark: str = ""
    strength: float = 0.0
    low: float = 0.0
    high: float = 0.0
    at: float = 0.0
    is_own: bool = False
    is_best: bool = False

    @property
    def has_interval(self) -> bool:
        return self.high > self.low


@dataclass(frozen=True)
class RowView:
    """One checkpoint's line."""

    position: int
    row: RowInfo
    cells: list[CellView]
    mean: str
    is_scored: bool

    @property
    def only_domain(self) -> str:
        """The domain a stage trains, empty where there are several: it lends the mark its hue."""
        return self.row.domains[0] if len(self.row.domains) == 1 else ""


def matrix_rows(report: DriftReport, show: Show) -> list[RowView]:
    """Lay out the matrix for one way of looking at it."""
    matrix = report.matrix
    rows = []
    for position, row in enumerate(matrix.rows):
        cells = [_cell(report, row, column, show) for column in matrix.columns]
        found = [cell.mean for column in matrix.columns if (cell := matrix.cell(row.key, column.domain))]
        mean = words.score(sum(found) / len(found)) if len(found) == len(matrix.columns) else "–"
        rows.append(RowView(position, row, cells, mean, matrix.is_scored(row.key)))
    return rows


def _cell(report: DriftReport, row: RowInfo, column: ColumnInfo, show: Show) -> CellView:
    domain = column.domain
    score = report.matrix.cell(row.key, domain)
    if score is None:
        return CellView(column, "–", "none", "not scored yet")
    if show == "score":
        view = _score_view(column, score, report.changes["previous"][row.key, domain])
    else:
        change = report.changes[show][row.key, domain]
        about = f"{change_words(change)}; score {words.score(score.mean)}, n = {score.n}"
        view = change_view(column, change, about)
    best = report.best.get(domain)
    return replace(
        view,
        is_own=row.kind == "grpo" and domain in row.domains,
        is_best=best is not None and best.row == row.key,
    )


def _score_view(column: ColumnInfo, score: ScoreCell, change: Change) -> CellView:
    low, high = score.interval or (score.mean, score.mean)
    about = words.joined(words.score(score.mean), words.score_interval(score.interval), f"n = {score.n}")
    mark = "+" if change.is_gain else "−" if change.is_loss else "·" if change.is_known else ""
    return CellView(
        column,
        words.score(score.mean),
        "score",
        f"{about}; {change_words(change)}",
        mark=mark,
        strength=round(0.75 * score.mean, 3),
        low=round(100 * low, 1),
        high=round(100 * high, 1),
        at=round(100 * score.mean, 1),
    )


def change_view(column: ColumnInfo, change: Change, about: str) -> CellView:
    """Show a change as a cell; about: what it says in words where there is one."""
    if change.difference is None:
        return CellView(column, "–", "none", change.reason)
    tone = "gain" if change.is_gain else "loss" if change.is_loss else "noise" if change.is_known else "none"
    low, high = change.interval or (change.difference, change.difference)
    return CellView(
        column,
        words.change(change.difference),
        tone,
        about,
        strength=round(min(1.0, abs(change.difference) / _SCALE), 3),
        low=_on_scale(low),
        high=_on_scale(high),
        at=_on_scale(change.difference),
    )


def change_words(change: Change) -> str:
    """Write a change with its interval, and whether it is noise; or why there is none."""
    if change.difference is None:
        return change.reason
    weight = "" if change.is_significant else ", within noise" if change.is_known else ""
    return words.joined(
        words.change(change.difference), words.change_interval(change.interval), f"since {change.reference}{weight}"
    )


def _on_scale(change: float) -> float:
    """Place a change on a bar that runs from -50 to +50 points, in per cent of its width."""
    return round(min(100.0, max(0.0, 50 + 100 * change)), 1)

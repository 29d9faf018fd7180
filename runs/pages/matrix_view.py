"""The stages x benchmarks matrix as the page shows it: a table of cells with their words, tones and bars."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from runs.drift import words
from runs.drift.changes import Change, ChangeMatrix
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreCell
from runs.drift.power import Detectable
from runs.pages.drift_view import DriftView, Show
from runs.report import DriftReport

_SCALE = 0.3  # a change of 30 points has the full colour


@dataclass(frozen=True)
class CellView:
    """One cell: `tone` is score, gain, loss, noise or none; low, high and at place the interval's bar, in per cent.

    `broken` says why the line to the nearest scored checkpoint before it must not be drawn, empty where it may.
    """

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
    broken: str = ""
    url: str = ""
    is_scored: bool = True
    is_chosen: bool = False
    is_discussed: bool = False

    @property
    def has_interval(self) -> bool:
        return self.high > self.low


@dataclass(frozen=True)
class MissingView:
    """What stands in the cells of a checkpoint that have no score, and whether somebody may ask for them now."""

    text: str
    about: str
    can_be_asked: bool = False


NOT_TRAINED = MissingView("–", "not trained yet")


@dataclass(frozen=True)
class FootView:
    """The smallest change a benchmark can see."""

    text: str
    about: str


@dataclass(frozen=True)
class RowView:
    """One checkpoint's line."""

    position: int
    row: RowInfo
    cells: list[CellView]
    mean: str
    missing: MissingView

    @property
    def only_domain(self) -> str:
        """The domain a stage trains, empty where there are several: it lends the mark its hue."""
        return self.row.domains[0] if len(self.row.domains) == 1 else ""


def matrix_rows(
    report: DriftReport, view: DriftView, missing: Mapping[str, MissingView], *, discussed: Set[str] = frozenset()
) -> list[RowView]:
    """Lay out the matrix for one way of looking at it.

    missing: row key -> what its empty cells say; discussed: the cells, 'stage:domain', with open threads.
    """
    matrix, changes = report.matrix, shown_changes(report, view)
    address = view.address(cell="", before="")
    link = f"{address}{'&' if address != '?' else ''}cell="
    broken = {(found.after, found.column): found.reason for found in report.breaks}
    rows = []
    for position, row in enumerate(matrix.rows):
        absent = missing.get(row.key, NOT_TRAINED)
        cells = [
            replace(
                _cell(report, row, column, view.show, changes[row.key, column.domain], absent),
                broken=broken.get((row.key, column.domain), ""),
                url=f"{link}{row.key}:{column.domain}#cell",
                is_chosen=view.cell == f"{row.key}:{column.domain}",
                is_discussed=f"{row.key}:{column.domain}" in discussed,
            )
            for column in matrix.columns
        ]
        mean = matrix.mean(row.key)
        rows.append(RowView(position, row, cells, "–" if mean is None else words.score(mean), absent))
    return rows


def shown_changes(report: DriftReport, view: DriftView) -> ChangeMatrix:
    """Find the changes that a way of looking at the matrix rests on."""
    if view.show == "row":
        return report.changes_against(view.against)
    return report.changes["previous" if view.show == "score" else view.show]


def matrix_foot(report: DriftReport) -> list[FootView]:
    """Say for each benchmark how small a change it can see."""
    return [_foot(report.detectable[column.domain]) for column in report.matrix.columns]


def _foot(found: Detectable) -> FootView:
    if found.change is None:
        return FootView("–", found.reason)
    about = f"a true change of {words.score(found.change)} points is found in 8 of 10 cases on these {found.n} problems"
    return FootView(f"±{words.score(found.change)}", about)


def _cell(
    report: DriftReport, row: RowInfo, column: ColumnInfo, show: Show, change: Change, missing: MissingView
) -> CellView:
    domain = column.domain
    score = report.matrix.cell(row.key, domain)
    if score is None:
        return CellView(column, missing.text, "none", missing.about, is_scored=False)
    if show == "score":
        view = _score_view(column, score, change)
    else:
        view = change_view(column, change, f"{change_words(change)}; score {words.cell(score)}")
    best = report.best.get(domain)
    return replace(
        view,
        is_own=row.kind == "grpo" and domain in row.domains,
        is_best=best is not None and best.row == row.key,
    )


def _score_view(column: ColumnInfo, score: ScoreCell, change: Change) -> CellView:
    low, high = score.interval or (score.mean, score.mean)
    about = words.cell(score)
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
    weight = "" if change.is_significant else ", within noise" if change.is_known else f", {change.reason}"
    return words.joined(
        words.change(change.difference), words.change_interval(change.interval), f"since {change.reference}{weight}"
    )


def _on_scale(change: float) -> float:
    """Place a change on a bar that runs from -50 to +50 points, in per cent of its width."""
    return round(min(100.0, max(0.0, 50 + 100 * change)), 1)

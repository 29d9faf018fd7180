"""What one cell of the drift matrix rests on: its score, its change since another checkpoint, the problems that flipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from runs.drift import words
from runs.drift.changes import Change, change_between
from runs.drift.flips import Flips, find_flips
from runs.drift.intervals import ALPHA
from runs.drift.matrix import RowInfo, ScoreCell, ScoreMatrix
from runs.drift.power import effort_to_decide
from runs.models import ItemResult, Run, Score
from runs.pages.drift_view import DriftView
from runs.pages.matrix_view import change_words, shown_changes
from runs.report import DriftReport
from workers.spec import BASE

MAX_FLIPS_SHOWN = 50


@dataclass(frozen=True)
class Square:
    """One checkpoint in an item's ribbon; `level` is full, part, none or missing."""

    level: str
    about: str
    is_compared: bool


def chosen_cell(report: DriftReport, run: Run, view: DriftView) -> dict[str, Any] | None:
    """Look into the chosen cell, 'stage:domain'; None where there is no such score.

    It is compared with the chosen checkpoint before it; where that is none of the run's, with the one that the matrix
    shows the change since.
    """
    row, _, domain = view.cell.partition(":")
    matrix, now = report.matrix, report.matrix.cell(row, domain)
    if now is None:
        return None
    change = _change(report, view, now)
    earlier = matrix.cell(change.reference, domain) if change.reference else None
    info, scored = matrix.row(row), _score(run, row, domain)
    chosen = {
        "key": f"{row}:{domain}",
        "row": info,
        "row_domain": info.domains[0] if len(info.domains) == 1 else "",
        "domain": next(column.title for column in matrix.columns if column.domain == domain),
        "score": now,
        "score_text": words.joined(words.score(now.mean), words.score_interval(now.interval)),
        "scored": scored,
        "protocol": [(name.replace("_", " "), value) for name, value in scored.benchmark.protocol.items()],
        "others": [other for other in matrix.scored_rows() if other.key != row and matrix.cell(other.key, domain)],
        "reason": change.reason,
        "kept": view.kept("cell", "before"),
        "close_url": f"{view.address(cell='', before='')}#matrix",
    }
    if earlier is None:
        return chosen
    flips = find_flips(earlier, now)
    return chosen | {
        "before": matrix.row(earlier.row),
        "change_text": change_words(change),
        "effort": _effort(report, change, earlier, now),
        "flips": flips,
        "flips_test": _tested(flips),
        "answers": _flipped(report.matrix, run, earlier, now, flips),
        "n_hidden": max(0, len(flips.lost) + len(flips.gained) - MAX_FLIPS_SHOWN),
    }


def _change(report: DriftReport, view: DriftView, now: ScoreCell) -> Change:
    """Take the change that the matrix shows, so that both say the same; another pair is compared on its own."""
    shown, before = shown_changes(report, view)[now.row, now.column], view.before
    is_other = before not in (now.row, shown.reference) and report.matrix.cell(before, now.column) is not None
    return change_between(report.matrix, now.column, before, now.row) if is_other else shown


def _effort(report: DriftReport, change: Change, before: ScoreCell, now: ScoreCell) -> str:
    """Say what it would take to tell an undecided change from noise, were it as large as it looks."""
    if not change.is_known or change.is_significant:
        return ""
    if not change.difference:
        seen = report.detectable[now.column].change
        would = f"; a true one of {words.score(seen)} points is found in 8 of 10 cases" if seen else ""
        return f"no difference was seen{would}"
    found = effort_to_decide(before, now, alpha=ALPHA / len(report.matrix.columns))
    if found.items is None:
        return found.why_no_items
    by_items = f"{found.items:,} problems with {_answers(now.samples)} each find a change of this size in 8 of 10 cases"
    if found.samples is None:
        return f"{by_items}. More answers to these {now.n} problems: {found.why_no_samples}"
    return f"{by_items}; so do {_answers(found.samples)} to each of these {now.n} problems"


def _answers(count: int) -> str:
    return f"{count:,} answer{'' if count == 1 else 's'}"


def _score(run: Run, row: str, domain: str) -> Score:
    return (
        Score.objects.filter(_of(row), checkpoint__run=run, benchmark__domain=domain, benchmark__split="test")
        .select_related("benchmark", "checkpoint")
        .latest("checkpoint__at_step")
    )


def _flipped(matrix: ScoreMatrix, run: Run, before: ScoreCell, now: ScoreCell, flips: Flips) -> list[dict[str, Any]]:
    """The flipped items with their answers before and after and their ribbon, lost ones first."""
    positions = [*flips.lost, *flips.gained][:MAX_FLIPS_SHOWN]
    found: dict[int, dict[str, Any]] = {position: {"item": position} for position in positions}
    for side, row in (("before", before.row), ("after", now.row)):
        items = ItemResult.objects.filter(
            _of(row, "score__"),
            score__checkpoint__run=run,
            score__benchmark__domain=now.column,
            score__benchmark__split="test",
            item__in=positions,
        )
        for item in items:
            found[item.item] |= {"prompt": item.prompt, side: item}
    rows = matrix.rows
    for position, flipped in found.items():
        flipped["is_lost"] = position in flips.lost
        flipped["ribbon"] = _ribbon(matrix, rows, now.column, position, compared=(before.row, now.row))
    return list(found.values())


def _ribbon(
    matrix: ScoreMatrix, rows: Sequence[RowInfo], domain: str, position: int, *, compared: tuple[str, str]
) -> list[Square]:
    """How one item fared at every checkpoint: whether it was lost after being stable, or comes and goes."""
    squares = []
    for row in rows:
        cell = matrix.cell(row.key, domain)
        if cell is None or cell.values is None or position >= len(cell.values):
            squares.append(Square("missing", f"{row.title}: not scored", row.key in compared))
            continue
        value = float(cell.values[position])
        level = "full" if value >= 1 else "part" if value > 0 else "none"
        squares.append(Square(level, f"{row.title}: {value:g}", row.key in compared))
    return squares


def _tested(flips: Flips) -> str:
    if flips.p_value is None:
        return ""
    return f"{flips.test} p {f'= {flips.p_value:.2g}' if flips.p_value >= 0.001 else '< 0.001'}"


def _of(row: str, prefix: str = "") -> Q:
    return Q(**{f"{prefix}checkpoint__stage": None}) if row == BASE else Q(**{f"{prefix}checkpoint__stage__name": row})

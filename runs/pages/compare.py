"""Runs of a project side by side: scores against a pinned baseline, curves over each other, settings that differ.

The address holds all of the view: run=3&run=5&baseline=3&against=5.
"""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from runs import plots
from runs.access import project_for
from runs.drift import Change, ColumnInfo, ScoreMatrix, words
from runs.drift.across import MAX_RUNS, align_rows, compare_ends, compare_runs
from runs.matrices import score_matrix
from runs.models import Project, Run
from runs.pages.figures import figure_response
from runs.pages.find import join_rows
from runs.pages.matrix_view import CellView, change_view
from runs.pages.recipe_changes import value_in_words
from runs.plots.overlay import run_mark
from runs.recipe_settings import ABSENT, differing_settings


@dataclass(frozen=True)
class Compared:
    """One run and its scores; `place` in the list gives its line its hue and dash."""

    run: Run
    matrix: ScoreMatrix
    place: int
    is_baseline: bool

    @property
    def hue(self) -> int:
        return run_mark(self.place)[0]

    @property
    def dash(self) -> str:
        return "solid" if self.is_baseline else run_mark(self.place)[1]


@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Compare the runs that the address names with the one that it pins, by default the first."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    numbers = _numbers(request.GET)
    runs = _compared(project, request.GET)
    context: dict[str, Any] = {
        "project": project,
        "crumbs": [(project.name, ""), ("Runs", reverse("runs:list", args=(slug,))), ("Compare", "")],
        "missing": [n for n in numbers[:MAX_RUNS] if n not in {compared.run.number for compared in runs}],
        "n_left_out": max(0, len(numbers) - MAX_RUNS),
        "n_runs": len(runs),
    }
    return render(request, "runs/compare.html", context | (_comparison(request.GET, runs) if len(runs) > 1 else {}))


@require_safe
def compare_figure(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer the curves of these runs over each other, as Plotly JSON."""
    assert isinstance(request.user, User)
    runs = _compared(project_for(request.user, slug), request.GET)
    panels = plots.overlay_curves(
        [(str(compared.run), compared.matrix) for compared in runs],
        baseline=next((compared.place for compared in runs if compared.is_baseline), 0),
        columns=next((n for n in (1, 2, 3, 4) if str(n) == request.GET.get("columns")), 4),
        theme="dark" if request.GET.get("theme") == "dark" else "light",
    )
    return figure_response(request, plots.panels_to_json(panels))


def _numbers(query: QueryDict) -> list[int]:
    """Read run=NUMBER, as often as it is given, each once, in the address's order."""
    return list(dict.fromkeys(int(text) for text in query.getlist("run") if text.isdecimal() and len(text) < 9))


def _compared(project: Project, query: QueryDict) -> list[Compared]:
    numbers = _numbers(query)[:MAX_RUNS]
    found = Run.objects.filter(project=project, number__in=numbers).select_related("recipe", "project")
    runs = sorted(
        found.prefetch_related("stages", "checkpoints", "added_benchmarks"), key=lambda run: numbers.index(run.number)
    )
    for run in runs:
        join_rows(run)
    pinned = next((run.number for run in runs if str(run.number) == query.get("baseline")), None)
    pinned = runs[0].number if pinned is None and runs else pinned
    return [Compared(run, score_matrix(run), place, run.number == pinned) for place, run in enumerate(runs)]


def _comparison(query: QueryDict, runs: list[Compared]) -> dict[str, Any]:
    baseline = next(compared for compared in runs if compared.is_baseline)
    others = [compared for compared in runs if not compared.is_baseline]
    against = next((other for other in others if str(other.run.number) == query.get("against")), others[0])
    columns = list({column.domain: column for compared in runs for column in compared.matrix.columns}.values())
    address = [("run", compared.run.number) for compared in runs]
    return {
        "baseline": baseline,
        "against": against,
        "lines": [_line(compared, baseline, runs, columns) for compared in runs],
        "columns": columns,
        "difference": _difference_rows(baseline, against),
        "difference_columns": against.matrix.columns,
        "settings": _settings(runs),
        "curves_query": urlencode([*address, ("baseline", baseline.run.number)]),
        "n_panels": len(columns) + 1,
    }


def _line(compared: Compared, baseline: Compared, runs: list[Compared], columns: list[ColumnInfo]) -> dict[str, Any]:
    """A run's last checkpoint in words, against the baseline's."""
    final = compared.matrix.final_row()
    changes = {} if compared.is_baseline else {c.column: c for c in compare_ends(baseline.matrix, compared.matrix)}
    found = list(changes.values())
    others = [("run", other.run.number) for other in runs if other is not compared]
    everyone, pinned = [("run", other.run.number) for other in runs], ("baseline", baseline.run.number)
    return {
        "compared": compared,
        "status": compared.run.status.label,
        "final": final,
        "cells": [_end_cell(compared, baseline, column, changes.get(column.domain)) for column in columns],
        "n_up": sum(change.is_gain for change in found),
        "n_down": sum(change.is_loss for change in found),
        "n_noise": sum(change.is_known and not change.is_significant for change in found),
        "reasons": sorted({change.reason for change in found if change.difference is None}),
        "pin_query": urlencode([*everyone, ("baseline", compared.run.number)]),
        "against_query": urlencode([*everyone, pinned, ("against", compared.run.number)]),
        "drop_query": urlencode([*others, *([] if compared.is_baseline else [pinned])]),
    }


def _end_cell(compared: Compared, baseline: Compared, column: ColumnInfo, change: Change | None) -> CellView:
    """The score of a run's last checkpoint, marked by how it differs from the baseline's."""
    final = compared.matrix.final_row()
    cell = compared.matrix.cell(final.key, column.domain) if final else None
    if cell is None:
        return CellView(column, "–", "none", "not scored")
    text = words.score(cell.mean)
    if change is None:
        return CellView(column, text, "score", words.cell(cell), strength=round(0.75 * cell.mean, 3))
    view = change_view(column, change, f"{words.cell(cell)}; {_words(change, baseline)}")
    if change.difference is None:
        return replace(view, text=text, about=f"{words.cell(cell)}; no comparison: {change.reason}")
    return replace(view, text=text, mark="+" if change.is_gain else "−" if change.is_loss else "·")


def _words(change: Change, baseline: Compared) -> str:
    if change.difference is None:
        return change.reason
    weight = "" if change.is_significant else ", within noise" if change.is_known else ""
    difference = words.joined(words.change(change.difference), words.change_interval(change.interval))
    return f"{difference} against {baseline.run}{weight}"


def _difference_rows(baseline: Compared, against: Compared) -> list[tuple[str, list[CellView]]]:
    """The matrix A - B by stages of one name; without cells where only one of the runs has the stage."""
    changes = compare_runs(baseline.matrix, against.matrix)
    both = {row for row, _ in changes}
    rows = []
    for key in align_rows([baseline.matrix, against.matrix]):
        found = [(column, changes[key, column.domain]) for column in against.matrix.columns if key in both]
        rows.append((key, [change_view(column, change, _words(change, baseline)) for column, change in found]))
    return rows


def _settings(runs: list[Compared]) -> list[tuple[str, str, list[str | None]]]:
    """The settings in which any of the runs differ, in words; None where a run does not have it."""
    return [
        (where, setting, [None if value is ABSENT else value_in_words(value) for value in values])
        for (where, setting), values in differing_settings([compared.run for compared in runs])
    ]

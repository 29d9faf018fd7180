"""The drift page as files: tables of its numbers, the page in Markdown, the page in one HTML file with live plots."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from runs.drift.comparability import break_words
from runs.drift.matrix import ScoreCell
from runs.exchange.drift_tables import drift_table, to_csv, to_json
from runs.models import Run
from runs.pages.baseline import Baseline, find_baseline
from runs.pages.drift_figures import draw
from runs.pages.drift_view import SHOWS, DriftView, read_view
from runs.pages.find import find_run
from runs.pages.gates import gates_section
from runs.pages.matrix_view import matrix_foot, matrix_rows, shown_changes
from runs.pages.measures_view import measure_views
from runs.pages.missing_scores import missing_views
from runs.pages.published_view import published_view
from runs.pages.recovery_view import recovery_view
from runs.report import DriftReport, drift_report
from runs.standings import foremost, in_a_phrase, standings_of_run

REPORT_COLUMNS = 4  # curves side by side in a report
_PLOTLY = "vendor/plotly-basic.min.js"


@require_safe
def export(request: HttpRequest, slug: str, number: int, name: str) -> HttpResponse:
    """Answer one file: report.md, report.html, or TABLE.csv and TABLE.json; it shows what the address chooses."""
    run = find_run(request, slug, number)
    report = drift_report(run)
    view = read_view(request, report.matrix)
    stem, _, kind = name.rpartition(".")
    if stem == "report" and kind in ("md", "html"):
        context = report_context(run, report, view, find_baseline(run, report, view), at=permalink(request, run, view))
        text = _markdown(context) if kind == "md" else _html(context, report, view)
        return _file(run, f"drift.{kind}", text, "text/markdown" if kind == "md" else "text/html")
    table = drift_table(report, stem, shown_changes(report, view))
    if table is None or kind not in ("csv", "json"):
        raise Http404
    is_csv = kind == "csv"
    return _file(run, name, to_csv(table) if is_csv else to_json(table), "text/csv" if is_csv else "application/json")


def report_context(
    run: Run, report: DriftReport, view: DriftView, baseline: Baseline | None, *, at: str
) -> dict[str, Any]:
    """All that a report of a run says; `at`: where its page is."""
    matrix, spoken_of = report.matrix, foremost(standings_of_run(run))
    final = matrix.final_row()
    return {
        "run": run,
        "project": run.project,
        "address": at,
        "made_at": timezone.now(),
        "view": view,
        "way": SHOWS[view.show] + (f" {view.against}" if view.show == "row" else ""),
        "verdict": report.verdict,
        "sign_off": in_a_phrase(spoken_of) if spoken_of else "",
        "is_scored": final is not None,
        "columns": matrix.columns,
        "rows": matrix_rows(report, view, missing_views(run)),
        "foot": matrix_foot(report),
        "breaks": [break_words(matrix, found) for found in report.breaks],
        "baseline": baseline,
        "measures": measure_views(report, baseline),
        "published": published_view(run, view),
        "recoveries": [recovery_view(found, run) for found in report.recoveries],
        "gates": gates_section(run),
        "protocols": [
            (column.title, cell.version, _how(cell))
            for column in matrix.columns
            if final and (cell := matrix.cell(final.key, column.domain))
        ],
    }


def _how(cell: ScoreCell) -> list[tuple[str, float | int | str]]:
    """List the settings a score was taken under; of published ones nobody knows how often each problem was answered."""
    settings = [(name.replace("_", " "), value) for name, value in cell.settings.items()]
    return [*settings, ("answers per problem", cell.samples)] if cell.n else settings


def permalink(request: HttpRequest, run: Run, view: DriftView) -> str:
    """Write the whole address of a drift page that shows what is shown now."""
    return request.build_absolute_uri(reverse("runs:drift", args=(run.project.slug, run.number)) + view.address())


def _markdown(context: dict[str, Any]) -> str:
    return render_to_string("runs/report.md", context)


def _html(context: dict[str, Any], report: DriftReport, view: DriftView) -> str:
    """Put the page, its style, its plots and Plotly.js into one file that asks the network for nothing."""
    names = ["curves", *(f"recovery-{found.row}" for found in report.recoveries)]
    baseline, levels = context["baseline"], context["published"].levels
    figures = {
        name: json.loads(draw(report, name, view, baseline, published=levels, theme="light", columns=REPORT_COLUMNS))
        for name in names
    }
    parts = {
        "style": _static("cascade.css"),
        "plotly": _static(_PLOTLY),
        "script": _static("report.js"),
        # Inside a script element only "<" could end it or open a comment.
        "figures": json.dumps(figures).replace("<", "\\u003c"),
    }
    # Ours, from our own files and encoder: nothing in it was typed by a person.
    inlined = {name: mark_safe(text) for name, text in parts.items()}  # noqa: S308
    return render_to_string("runs/report.html", context | inlined)


def _static(name: str) -> str:
    return (Path(settings.STATICFILES_DIRS[0]) / name).read_text()


def _file(run: Run, name: str, text: str, kind: str) -> HttpResponse:
    """Answer a download: a report must not run as a page of this site, whose policy it does not follow."""
    headers = {
        "Content-Disposition": f'attachment; filename="run-{run.number}-{name}"',
        "Cache-Control": "private, no-cache",
    }
    return HttpResponse(text, content_type=f"{kind}; charset=utf-8", headers=headers)

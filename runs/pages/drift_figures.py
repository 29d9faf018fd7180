"""The drift page's pictures as Plotly JSON, made by Python from the same report."""

import json

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from runs import plots
from runs.models import Run
from runs.pages.baseline import Baseline, find_baseline, references
from runs.pages.drift_view import DriftView, read_view
from runs.pages.figures import figure_response
from runs.pages.find import find_run
from runs.pages.matrix_view import shown_changes
from runs.pages.published_view import published_view
from runs.report import DriftReport, drift_report

Levels = dict[str, dict[str, float]]  # name -> domain -> a score, 0 to 1
KEPT = 40  # pictures kept with a report; Plotly takes longer to check one than all else takes together


@require_safe
def figure(request: HttpRequest, slug: str, number: int, name: str) -> HttpResponse:
    """Answer one of the page's pictures."""
    run = find_run(request, slug, number)
    report = drift_report(run)
    theme: plots.Theme = "dark" if request.GET.get("theme") == "dark" else "light"
    columns = next((n for n in (1, 2, 3, 4) if str(n) == request.GET.get("columns")), 4)
    view = read_view(request, report.matrix)
    published = published_view(run, view).levels if name == "curves" else {}
    baseline = find_baseline(run, report, view)
    text = draw(report, name, view, baseline, published=published, theme=theme, columns=columns)
    return figure_response(request, text)


def figure_url(run: Run, name: str) -> str:
    """Where a picture is answered."""
    return reverse("runs:drift-figure", args=(run.project.slug, run.number, name))


def draw(
    report: DriftReport,
    name: str,
    view: DriftView,
    baseline: Baseline | None,
    *,
    published: Levels,
    theme: plots.Theme,
    columns: int,
) -> str:
    """Draw a picture as JSON, or find it drawn; Http404 where the report has none of this name."""
    levels = references(report, baseline) if name == "curves" else {}
    way = (view.show, view.against) if name == "matrix" else ()
    lines = published if name == "curves" else {}
    key = json.dumps([name, theme, columns, way, levels, lines])
    if key not in report.drawn:
        if len(report.drawn) >= KEPT:
            report.drawn.clear()
        report.drawn[key] = _draw(report, name, view, levels, lines, theme=theme, columns=columns)
    return report.drawn[key]


def _draw(
    report: DriftReport,
    name: str,
    view: DriftView,
    levels: Levels,
    published: Levels,
    *,
    theme: plots.Theme,
    columns: int,
) -> str:
    matrix = report.matrix
    if name == "curves":
        panels = plots.forgetting_curves(
            matrix,
            teachers=report.last_teachers,
            references=levels,
            published=published,
            during=report.during,
            columns=columns,
            theme=theme,
        )
        return plots.panels_to_json(panels)
    if name == "matrix":
        changes = shown_changes(report, view)
        picture = plots.matrix_heatmap(matrix, view.show, changes=changes, compact=columns == 1, theme=theme)
        return plots.to_json(picture)
    recovered = {found.row: found for found in report.recoveries}
    row = name.removeprefix("recovery-")
    if row not in recovered:
        raise Http404
    return plots.to_json(plots.recovery_bars(recovered[row], narrow=columns == 1, theme=theme))

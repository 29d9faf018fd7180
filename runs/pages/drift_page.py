"""The drift page: what each stage did to every domain."""

import hashlib
from typing import Any

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from runs import plots
from runs.access import role_in
from runs.drift import words
from runs.drift.matrix import ScoreCell
from runs.drift.recovery import DomainRecovery, Recovery
from runs.drift.summary import Measure, Summary
from runs.models import Project, Role, Run, Status
from runs.pages.chosen_cell import chosen_cell, pair_form
from runs.pages.find import find_run
from runs.pages.lineage import lineage_view
from runs.pages.matrix_view import SHOWS, Show, matrix_rows
from runs.pages.run_words import run_seconds
from runs.pages.stage_lines import strip, trained_tokens
from runs.pages.teachers import teachers_view
from runs.report import DriftReport, drift_report
from workers.catalogue import DOMAINS

_FORMULAS: dict[str, tuple[str, str]] = {
    "average": ("Average score", "mean of the last checkpoint's scores over all benchmarks (ACC)"),
    "backward_transfer": (
        "Backward transfer (BWT)",
        "mean over domains of: score now − score after the domain's own stage; negative is forgetting",
    ),
    "forgetting": (
        "Average forgetting",
        "mean over domains of: best earlier score since the start − score now (Chaudhry et al. 2018)",
    ),
    "retention": ("Retention", "mean over domains of: score now ÷ score after the domain's own stage"),
    "forward_transfer": (
        "Forward transfer (FWT)",
        "mean over domains of: score just before the domain's own stage − score at the start",
    ),
}


@require_safe
def drift(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show verdict, matrix, curves, summary and, for a chosen cell, its flips; `part` answers what a script renews."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number)
    report, show, role = drift_report(run), _shown(request), role_in(request.user, run.project)
    is_part = request.GET.get("part") == "drift"
    context = _head(run) | {
        "is_part": is_part,
        "verdict": report.verdict,
        "columns": report.matrix.columns,
        "rows": matrix_rows(report, show),
        "show": show,
        "shows": SHOWS.items(),
        "measures": [*_measures(report.summary), _worst_drop(report)],
        "recoveries": [_recovery_view(found, run.project, run) for found in report.recoveries],
        "matrix_height": 38 + 32 * len(report.matrix.rows),
        "matrix_url": f"{_figure_url(run.project, run, 'matrix')}?show={show}",
        "n_scored": len(report.matrix.scored_rows()),
        "chosen": (chosen := chosen_cell(report, run, show, request.GET)),
        "pair": pair_form(report, request.GET, chosen),
        "teachers": teachers_view(report, run),
        "lineage": lineage_view(report, run),
        "may_launch": role is not None and role.may(Role.RUNNER),
    }
    return render(request, "runs/_drift.html" if is_part else "runs/drift.html", context)


def _head(run: Run) -> dict[str, Any]:
    """What stands above the drift, the same as on the run's own page."""
    slug = run.project.slug
    return {
        "project": run.project,
        "run": run,
        "status": run.status.label,
        "is_over": run.status == Status.SUCCEEDED,
        "seconds": run_seconds(run),
        "tokens": trained_tokens(run),
        "strip": strip(run, with_links=False),
        "crumbs": [
            (run.project.name, ""),
            ("Runs", reverse("runs:list", args=(slug,))),
            (str(run), reverse("runs:detail", args=(slug, run.number))),
            ("Drift", ""),
        ],
    }


@require_safe
def figure(request: HttpRequest, slug: str, number: int, name: str) -> HttpResponse:
    """Answer one of the page's pictures as Plotly JSON, made by Python from the same report."""
    run = find_run(request, slug, number)
    theme: plots.Theme = "dark" if request.GET.get("theme") == "dark" else "light"
    columns = next((n for n in (1, 2, 3, 4) if str(n) == request.GET.get("columns")), 4)
    json = _draw(drift_report(run), name, theme=theme, columns=columns, show=_shown(request))
    etag = f'"{hashlib.sha256(json.encode()).hexdigest()[:32]}"'
    unchanged = get_conditional_response(request, etag=etag)
    return unchanged or HttpResponse(
        json, content_type="application/json", headers={"ETag": etag, "Cache-Control": "private, no-cache"}
    )


def _draw(report: DriftReport, name: str, *, theme: plots.Theme, columns: int, show: Show) -> str:
    if name == "curves":
        return plots.to_json(
            plots.forgetting_curves(report.matrix, teachers=report.last_teachers, columns=columns, theme=theme)
        )
    if name == "matrix":
        return plots.to_json(plots.matrix_heatmap(report.matrix, show, compact=columns == 1, theme=theme))
    recovered = {found.row: found for found in report.recoveries}
    row = name.removeprefix("recovery-")
    if row not in recovered:
        raise Http404
    return plots.to_json(plots.recovery_bars(recovered[row], narrow=columns == 1, theme=theme))


def _shown(request: HttpRequest) -> Show:
    asked = request.GET.get("show")
    return next((known for known in SHOWS if known == asked), "score")


def _measures(summary: Summary) -> list[dict[str, Any]]:
    """Each measure with its formula and the parts it is the mean of."""
    shown = []
    for name, (title, formula) in _FORMULAS.items():
        measure: Measure = getattr(summary, name)
        interval = (
            words.change_interval(measure.interval) if name != "average" else words.score_interval(measure.interval)
        )
        shown.append(
            {
                "title": title,
                "formula": formula,
                "text": _value(name, measure),
                "beside": interval,
                "reason": measure.reason,
                "parts": _parts(name, measure),
            }
        )
    return shown


def _worst_drop(report: DriftReport) -> dict[str, Any]:
    """The one fall that a mean would hide."""
    worst = report.summary.worst_drop
    shown = {
        "title": "Worst drop",
        "formula": "the largest fall of one domain over one stage, among the stages that the last checkpoint comes from",
        "reason": worst.reason,
    }
    if worst.difference is None:
        return shown | {"text": "–"}
    noise = "" if worst.is_significant or not worst.is_known else ", within noise"
    place = f"{DOMAINS[worst.column].title} at {report.matrix.row(worst.row).title}{noise}"
    return shown | {
        "text": words.change(worst.difference),
        "beside": words.change_interval(worst.interval),
        "place": place,
    }


def _recovery_view(found: Recovery, project: Project, run: Run) -> dict[str, Any]:
    """A MOPD stage's recovery as sentence, picture and table."""
    return {
        "row": found.row,
        "text": ""
        if found.fraction is None
        else words.joined(words.percent(found.fraction), words.percent_interval(found.interval)),
        "reason": found.reason,
        "url": _figure_url(project, run, f"recovery-{found.row}"),
        "height": 36 + 36 * len(found.domains),
        "narrow_height": 36 + 54 * len(found.domains),
        "lines": [_recovery_line(domain) for domain in found.domains],
    }


def _recovery_line(domain: DomainRecovery) -> dict[str, str]:
    def level(cell: ScoreCell | None) -> str:
        return words.score(cell.mean) if cell else "–"

    fraction = (
        ""
        if domain.fraction is None
        else words.joined(words.percent(domain.fraction), words.percent_interval(domain.interval))
    )
    return {
        "title": domain.title,
        "teacher": domain.teacher_row or "",
        "before": level(domain.before),
        "after": level(domain.after),
        "level": level(domain.teacher),
        "fraction": fraction,
        "reason": domain.reason,
    }


def _figure_url(project: Project, run: Run, name: str) -> str:
    return reverse("runs:drift-figure", args=(project.slug, run.number, name))


def _value(name: str, measure: Measure) -> str:
    if measure.value is None:
        return "–"
    return _written(name, measure.value)


def _written(name: str, value: float) -> str:
    if name == "retention":
        return words.percent(value)
    return words.score(value) if name in ("average", "forgetting") else words.change(value)


def _parts(name: str, measure: Measure) -> list[tuple[str, str]]:
    return [(DOMAINS[domain].title, _written(name, value)) for domain, value in measure.parts.items()]

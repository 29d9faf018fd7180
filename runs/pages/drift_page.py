"""The drift page: what each stage did to every domain."""

import hashlib
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from runs import plots
from runs.drift import words
from runs.drift.changes import change_between
from runs.drift.flips import find_flips
from runs.drift.matrix import ScoreCell
from runs.drift.recovery import DomainRecovery, Recovery
from runs.drift.summary import Measure, Summary
from runs.models import ItemResult, Project, Run, Score, Status
from runs.pages.find import find_run
from runs.pages.matrix_view import SHOWS, Show, change_words, matrix_rows
from runs.report import DriftReport, drift_report
from workers.spec import BASE

MAX_FLIPS_SHOWN = 50
_FORMULAS: dict[str, tuple[str, str]] = {
    "average": ("Average score", "mean of the last checkpoint's scores over all benchmarks (ACC)"),
    "backward_transfer": (
        "BWT",
        "mean over domains of: score now − score after the domain's own stage; negative is forgetting",
    ),
    "forgetting": (
        "Average forgetting",
        "mean over domains of: best earlier score since the start − score now (Chaudhry et al. 2018)",
    ),
    "retention": ("Retention", "mean over domains of: score now ÷ score after the domain's own stage"),
    "forward_transfer": ("FWT", "mean over domains of: score just before the domain's own stage − score at the start"),
}


@require_safe
def drift(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show verdict, matrix, curves, summary and, for a chosen cell, its flips."""
    run = find_run(request, slug, number)
    project, report = run.project, drift_report(run)
    show = _shown(request)
    context = {
        "project": project,
        "run": run,
        "status": run.status,
        "is_finished": run.status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED),
        "crumbs": [
            (project.name, ""),
            ("Runs", f"/projects/{slug}/runs/"),
            (str(run), f"/projects/{slug}/runs/{number}/"),
            ("Drift", ""),
        ],
        "verdict": report.verdict,
        "columns": report.matrix.columns,
        "rows": matrix_rows(report, show),
        "show": show,
        "shows": SHOWS.items(),
        "measures": _measures(report.summary),
        "worst": report.summary.worst_drop,
        "recoveries": [_recovery_view(found, project, run) for found in report.recoveries],
        "matrix_url": f"{_figure_url(project, run, 'matrix')}?show={show}",
        "n_scored": len(report.matrix.scored_rows()),
        "chosen": _chosen_cell(report, run, request.GET.get("cell", "")),
    }
    return render(request, "runs/drift.html", context)


@require_safe
def figure(request: HttpRequest, slug: str, number: int, name: str) -> HttpResponse:
    """Answer one of the page's pictures as Plotly JSON, made by Python from the same report."""
    run = find_run(request, slug, number)
    theme: plots.Theme = "dark" if request.GET.get("theme") == "dark" else "light"
    columns = max(1, min(4, int(text) if (text := request.GET.get("columns", "4")).isdigit() else 4))
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
                "interval": interval,
                "measure": measure,
                "parts": _parts(name, measure),
            }
        )
    return shown


def _recovery_view(found: Recovery, project: Project, run: Run) -> dict[str, Any]:
    """A MOPD stage's recovery as sentence, picture and table."""
    return {
        "row": found.row,
        "text": ""
        if found.fraction is None
        else words.joined(words.percent(found.fraction), words.percent_interval(found.interval)),
        "reason": found.reason,
        "url": _figure_url(project, run, f"recovery-{found.row}"),
        "height": 96 + 32 * len(found.domains),
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
    return words.score(value) if name == "average" else words.change(value)


def _parts(name: str, measure: Measure) -> list[tuple[str, str]]:
    return [(domain, _written(name, value)) for domain, value in measure.parts.items()]


def _chosen_cell(report: DriftReport, run: Run, cell: str) -> dict[str, Any] | None:
    """What one cell rests on: its score, its change, and the items that flipped; None where no cell is chosen."""
    row, _, domain = cell.partition(":")
    now = report.matrix.cell(row, domain)
    if now is None:
        return None
    parent = report.matrix.row(row).parent
    before = report.matrix.cell(parent, domain) if parent else None
    score_text = words.joined(words.score(now.mean), words.score_interval(now.interval))
    chosen = {
        "row": row,
        "domain": domain,
        "score": now,
        "score_text": score_text,
        "parent": parent,
        "benchmark": _benchmark(run, row, domain),
    }
    if before is None or parent is None:
        return chosen
    flips = find_flips(before, now)
    answers = _answers(run, (parent, row), domain, positions=[*flips.lost, *flips.gained][:MAX_FLIPS_SHOWN])
    change = change_words(change_between(report.matrix, domain, parent, row))
    return chosen | {"change_text": change, "flips": flips, "answers": answers}


def _benchmark(run: Run, row: str, domain: str) -> Any:
    score = (
        Score.objects.filter(_of(row), checkpoint__run=run, benchmark__domain=domain, benchmark__split="test")
        .select_related("benchmark", "checkpoint")
        .last()
    )
    assert score is not None
    return score


def _answers(run: Run, rows: tuple[str, str], domain: str, *, positions: list[int]) -> list[dict[str, Any]]:
    """The flipped items' answers before and after, lost ones first."""
    found: dict[int, dict[str, Any]] = {position: {"item": position} for position in positions}
    for side, row in zip(("before", "after"), rows, strict=True):
        items = ItemResult.objects.filter(
            _of(row, "score__"),
            score__checkpoint__run=run,
            score__benchmark__domain=domain,
            score__benchmark__split="test",
            item__in=positions,
        )
        for item in items:
            found[item.item] |= {"prompt": item.prompt, side: item}
    return list(found.values())


def _of(row: str, prefix: str = "") -> Q:
    return Q(**{f"{prefix}checkpoint__stage": None}) if row == BASE else Q(**{f"{prefix}checkpoint__stage__name": row})

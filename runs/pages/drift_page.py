"""The drift page: what each stage did to every domain."""

from collections.abc import Set
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from runs.access import role_in
from runs.drift.comparability import break_words
from runs.models import Role, Run, Status
from runs.pages.added import added_section
from runs.pages.baseline import Baseline, baseline_choices, find_baseline
from runs.pages.chosen_cell import chosen_cell, pair_form
from runs.pages.drift_export import permalink
from runs.pages.drift_figures import figure_url
from runs.pages.drift_view import SHOWS, DriftView, read_view
from runs.pages.find import find_run
from runs.pages.gates import gates_section, hold_context
from runs.pages.lineage import lineage_view
from runs.pages.matrix_view import matrix_foot, matrix_rows
from runs.pages.measures_view import measure_views
from runs.pages.missing_scores import missing_views
from runs.pages.published_view import PublishedView, address_of, published_context, published_view
from runs.pages.recovery_view import recovery_view
from runs.pages.review_sections import review_sections
from runs.pages.run_words import run_seconds
from runs.pages.stage_lines import strip, trained_tokens
from runs.pages.teachers import teachers_view
from runs.pages.top_ups import is_topping_up
from runs.registered_models import model_of
from runs.report import DriftReport, drift_report


@require_safe
def drift(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show verdict, matrix, curves, summary and, for a chosen cell, its flips; `part` answers what a script renews."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number)
    report = drift_report(run)
    view, role = read_view(request, report.matrix), role_in(request.user, run.project)
    baseline, published = find_baseline(run, report, view), published_view(run, view)
    chosen = chosen_cell(report, run, view)
    if request.GET.get("part") == "top-up":
        return render(request, "runs/_top_up.html", {"top_up": chosen and chosen.get("top_up"), "view": view})
    sections = review_sections(request, run, cell=chosen["key"] if chosen else "")
    adding = added_section(request, run)
    is_part = request.GET.get("part") == "drift"
    context = (
        _head(run)
        | _matrix_context(report, run, view, discussed=sections["discussion"]["discussed"])
        | {
            "is_part": is_part,
            "may_act": role is not None and role.may(Role.RUNNER),
            "view": view,
            "verdict": report.verdict,
            "baseline": baseline,
            "baseline_choices": baseline_choices(run),
            "kept_beside_baseline": view.kept("baseline"),
            "measures": measure_views(report, baseline),
            "address": view.address(),
            "permalink": permalink(request, run, view),
            "recoveries": [recovery_view(found, run) for found in report.recoveries],
            "n_scored": len(report.matrix.scored_rows()),
            "chosen": chosen,
            "is_live": run.status != Status.SUCCEEDED or is_topping_up(run) or adding["is_adding"],
            "pair": pair_form(report, view, chosen),
            "teachers": teachers_view(report, run),
            "lineage": lineage_view(report, run),
            "gates": gates_section(run),
            "has_mid_stage_scores": bool(report.during),
        }
        | published_context(published, view)
        | _curves(run, view, baseline, published)
        | sections
        | adding
        | hold_context(run, request.user, role)
    )
    return render(request, "runs/_drift.html" if is_part else "runs/drift.html", context)


def _curves(run: Run, view: DriftView, baseline: Baseline | None, published: PublishedView) -> dict[str, str]:
    """Where the curves are answered; their id differs where their lines do, so that a page renewed in place draws them anew."""
    numbers = [str(baseline.run.number)] if baseline else []
    asked = [f"baseline={number}" for number in numbers] + [part for part in (address_of(view),) if part]
    return {
        "curves_id": "-".join(["curves", *numbers, *([published.key] if published.key else [])]),
        "curves_url": f"{figure_url(run, 'curves')}{'?' if asked else ''}{'&'.join(asked)}",
    }


def _matrix_context(report: DriftReport, run: Run, view: DriftView, *, discussed: Set[str]) -> dict[str, Any]:
    matrix = report.matrix
    return {
        "columns": matrix.columns,
        "rows": matrix_rows(report, view, missing_views(run), discussed=discussed),
        "foot": matrix_foot(report),
        "breaks": [break_words(matrix, found) for found in report.breaks],
        "scored_rows": matrix.scored_rows(),
        "ways": [{"key": key, "title": title, "url": view.address(show=key)} for key, title in SHOWS.items()],
        "kept_beside_against": view.kept("against"),
        "picture_id": f"picture-{view.show}-{view.against}" if view.show == "row" else f"picture-{view.show}",
        "matrix_height": 38 + 32 * len(matrix.rows),
        "matrix_url": f"{figure_url(run, 'matrix')}?show={view.show}&against={view.against}",
    }


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
        "model": model_of(run.project, run.document),
        "strip": strip(run, with_links=False),
        "crumbs": [
            (run.project.name, ""),
            ("Runs", reverse("runs:list", args=(slug,))),
            (str(run), reverse("runs:detail", args=(slug, run.number))),
            ("Drift", ""),
        ],
    }

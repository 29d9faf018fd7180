"""The list of a project's runs, newest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runs.access import project_for, role_in
from runs.models import Project, Role, Run, Status
from runs.pages.find import join_rows
from runs.pages.run_words import progress, run_seconds
from runs.pages.stage_lines import strip
from runs.statuses import with_status

RUNS_PER_PAGE = 50
FILTERS = (
    Status.QUEUED,
    Status.RUNNING,
    Status.PAUSED,
    Status.AWAITING_REVIEW,
    Status.SUCCEEDED,
    Status.FAILED,
    Status.CANCELLED,
    Status.STALE,
)


@dataclass(frozen=True)
class RunLine:
    """One line of the list."""

    run: Run
    status: str
    strip: list[dict[str, str]]
    progress: str
    seconds: float | None


@require_safe
def run_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a page of runs, filtered by what the address says; `part=rows` answers only the table, for live updates."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    text, status = request.GET.get("text", "").replace("\0", "").strip(), request.GET.get("status", "")
    page = Paginator(_filtered(project, text, status), RUNS_PER_PAGE).get_page(request.GET.get("page"))
    role = role_in(request.user, project)
    kept = {name: value for name, value in (("text", text), ("status", status)) if value}
    context = {
        "project": project,
        "crumbs": [(project.name, ""), ("Runs", "")],
        "page": page,
        "lines": _lines(page.object_list),
        "text": text,
        "status": status,
        "filters": FILTERS,
        "query": f"&{urlencode(kept)}" if kept else "",
        "may_launch": role is not None and role.may(Role.RUNNER),
        "live_query": urlencode({**kept, "page": page.number, "part": "rows"}),
    }
    is_part = request.GET.get("part") == "rows"
    return render(request, "runs/_rows.html" if is_part else "runs/list.html", context)


def _filtered(project: Project, text: str, status: str) -> QuerySet[Run]:
    runs = Run.objects.filter(project=project).select_related("recipe", "created_by", "project")
    if text:
        named = Q(name__icontains=text) | Q(recipe__name__icontains=text) | Q(created_by__username__icontains=text)
        number = text.removeprefix("#")
        runs = runs.filter(named | Q(number=number) if number.isdecimal() and len(number) < 9 else named)
    if status in FILTERS:
        runs = with_status(runs, Status(status))
    return runs.order_by("-number").prefetch_related("stages", "checkpoints")


def _lines(runs: Iterable[Run]) -> list[RunLine]:
    return [_line(run) for run in runs]


def _line(run: Run) -> RunLine:
    join_rows(run)
    return RunLine(
        run=run,
        status=run.status.label,
        strip=strip(run, with_links=False),
        progress=progress(run),
        seconds=run_seconds(run),
    )

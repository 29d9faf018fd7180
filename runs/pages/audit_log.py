"""A project's audit log, newest first."""

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from runs.access import project_for
from runs.audit import ACTIONS
from runs.models import AuditEntry

PER_PAGE = 50


@require_safe
def audit_log(request: HttpRequest, slug: str) -> HttpResponse:
    """List who did what, when, and what it was before and after; every member may read it."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    entries = AuditEntry.objects.filter(project=project).select_related("actor")
    page = Paginator(entries, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "project": project,
        "crumbs": [(project.name, reverse("runs:list", args=(slug,))), ("Audit log", "")],
        "page": page,
        "lines": [(entry, ACTIONS.get(entry.action, entry.action), _facts(entry)) for entry in page],
    }
    return render(request, "audit_log.html", context)


def _facts(entry: AuditEntry) -> list[tuple[str, object, object]]:
    """What was before and what is after, by name; a name that one side lacks is None there."""
    before, after = entry.before or {}, entry.after or {}
    return [(name, before.get(name), after.get(name)) for name in sorted({**before, **after})]

"""The page that stands before the composer while a project lacks the sample rows of a preset."""

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from runs.access import project_for, role_in
from runs.models import Project, Role
from runs.presets import preset_names
from runs.samples import missing_samples, register_samples, samples_of


@require_POST
def add_samples(request: HttpRequest, slug: str) -> HttpResponse:
    """Have the sample rows of a preset read; the page it leads to tells when they are there."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug, needs=Role.RUNNER)
    preset = request.POST.get("preset", "")
    if preset not in preset_names():
        raise Http404
    register_samples(preset, project=project, user=request.user)
    return redirect(f"{reverse('runs:new', args=[slug])}?preset={preset}")


def samples_page(request: HttpRequest, project: Project, preset: str) -> HttpResponse | None:
    """Show what of a preset's rows is there; None where all is, or there are none to wait for."""
    assert isinstance(request.user, User)
    is_part = request.GET.get("part") == "samples"
    missing = missing_samples(preset, project)
    if not missing and not is_part:
        return None
    role = role_in(request.user, project)
    new_run = reverse("runs:new", args=[project.slug])
    context = {
        "project": project,
        "preset": preset,
        "crumbs": [(project.name, reverse("runs:list", args=[project.slug])), ("New run", new_run), (preset, "")],
        "samples": samples_of(preset, project),
        "n_missing": len(missing),
        "failed": [sample for sample in missing if sample.failure],
        "is_under_way": any(sample.is_under_way for sample in missing),
        "may_register": role is not None and role.may(Role.RUNNER),
        "address": f"{new_run}?preset={preset}",
    }
    if not is_part:
        return render(request, "new_run/samples.html", context)
    answer = render(request, "new_run/_samples.html", context)
    if not missing:
        answer.headers["HX-Refresh"] = "true"  # the same address now shows the recipe
    return answer

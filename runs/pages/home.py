"""The way in: to the person's project, or to the words that say there is none."""

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from runs.access import projects_of


def home(request: HttpRequest) -> HttpResponse:
    """Go to the first project's runs; a person without a project is told whom to ask."""
    assert isinstance(request.user, User)
    project = projects_of(request.user).first()
    if project is None:
        return render(request, "no_project.html")
    return redirect("runs:list", project.slug)

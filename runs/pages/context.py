"""What every page of the shell needs: the projects to switch between."""

from typing import Any

from django.http import HttpRequest

from runs.access import projects_of


def shell(request: HttpRequest) -> dict[str, Any]:
    """Add the person's projects, for the rail; evaluated only by templates that show it."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"my_projects": projects_of(user)}

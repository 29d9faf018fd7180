"""What every page of the shell needs: the projects to switch between, and how much is unread."""

from typing import Any

from django.http import HttpRequest

from runs.access import projects_of
from runs.notices import n_unread


def shell(request: HttpRequest) -> dict[str, Any]:
    """Add the person's projects and their unread notices, for the rail; evaluated only by templates that show it."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"my_projects": projects_of(user), "n_unread": lambda: n_unread(user)}

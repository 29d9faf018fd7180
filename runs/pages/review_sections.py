"""What the drift page ends with: where people talk about the run and sign its checkpoints off."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest

from runs.access import role_in
from runs.models import Run
from runs.pages.proposals import sign_off_section
from runs.pages.threads import discussion_section


def review_sections(request: HttpRequest, run: Run, *, cell: str) -> dict[str, Any]:
    """Add both sections to the page's context. cell: the chosen one, 'stage:domain', or empty."""
    assert isinstance(request.user, User)
    role = role_in(request.user, run.project)
    return {
        "role": role,
        "discussion": discussion_section(run, role, cell=cell),
        "sign_off": sign_off_section(run, role),
    }

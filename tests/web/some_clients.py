"""Clients of the API for tests, signed in by session."""

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from runs.models import Project, Role
from tests.web.some_runs import a_member

BACKEND = "django.contrib.auth.backends.ModelBackend"


def client_of(user: User) -> APIClient:
    """Sign a person in; bodies are JSON, and an error of ours is an answer, not an exception."""
    client = APIClient(raise_request_exception=False)
    client.default_format = "json"
    client.force_login(user, backend=BACKEND)
    return client


def a_client(project: Project, role: Role) -> APIClient:
    """Sign in a new member with this role."""
    return client_of(a_member(project, f"a-{role}", role))

"""What the tests of a run's pages share; a file with another run in mind has its own."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Project, Role, Run
from tests.web.some_runs import a_member, a_project, a_run, finish


@pytest.fixture
def project() -> Project:
    return a_project()


@pytest.fixture
def run(project: Project) -> Run:
    return a_run(project)


@pytest.fixture
def ada(project: Project, client: Client) -> Client:
    """A browser in which the owner of the project is signed in."""
    client.force_login(project.memberships.get(role=Role.OWNER).user)
    return client


@pytest.fixture
def finished(run: Run) -> Run:
    """The run with every stage trained and scored."""
    finish(run, "warm", "if_rl", "mopd")
    return run


@pytest.fixture
def grace(run: Run) -> User:
    """A reviewer of the run's project."""
    return a_member(run.project, "grace", Role.REVIEWER)


@pytest.fixture
def alan(run: Run) -> User:
    """Another reviewer."""
    return a_member(run.project, "alan", Role.REVIEWER)

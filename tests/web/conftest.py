"""What the tests of a run's pages share; a file with another run in mind has its own."""

import pytest
from django.test import Client

from runs.models import Run
from tests.web.some_runs import a_project, a_run


@pytest.fixture
def run() -> Run:
    return a_run(a_project())


@pytest.fixture
def ada(run: Run, client: Client) -> Client:
    """A browser in which the owner of the run is signed in."""
    client.force_login(run.created_by)
    return client

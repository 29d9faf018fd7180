"""Models over the API."""

from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from runs.models import Project, Role
from tests.web.some_clients import a_client
from tests.web.some_models import a_model, a_model_folder
from tests.web.some_runs import a_project

pytestmark = pytest.mark.django_db
LIST = "/api/v1/projects/team/models/"


@pytest.fixture
def project(settings: Any, tmp_path: Path) -> Project:
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    return a_project()


@pytest.fixture
def runner(project: Project) -> APIClient:
    return a_client(project, Role.RUNNER)


def test_a_folder_is_found_registered_and_read(runner: APIClient, project: Project) -> None:
    a_model_folder("small")
    assert runner.get("/api/v1/projects/team/model-folders/").json()["results"] == [{"folder": "small"}]
    answer = runner.post(LIST, {"folder": "small"}, format="json")
    assert answer.status_code == 201
    assert runner.post(LIST, {"folder": "small"}, format="json").status_code == 200
    found = runner.get(answer["Location"]).json()
    assert (found["folder"], found["status"], found["facts"]) == ("small", "queued", None)
    assert [listed["id"] for listed in runner.get(LIST).json()["results"]] == [found["id"]]


def test_facts_are_answered_once_they_are_known(runner: APIClient, project: Project) -> None:
    model = a_model(project)
    found = runner.get(f"/api/v1/models/{model.public_id}/").json()
    assert (found["status"], found["facts"]["context"]) == ("succeeded", 256)
    assert found["digest"] == found["facts"]["digest"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "folder"),
        ({"folder": "a", "hub": "b/c"}, "folder"),
        ({"folder": "../x"}, "folder"),
        ({"hub": "a/b"}, "hub"),
    ],
)
def test_what_cannot_be_registered_names_its_field(runner: APIClient, given: dict[str, str], field: str) -> None:
    answer = runner.post(LIST, given, format="json")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_registration_is_removed_and_a_look_retried(runner: APIClient, project: Project) -> None:
    model = a_model(project)
    assert runner.post(f"/api/v1/models/{model.public_id}/retry/").json()["status"] == "succeeded"
    assert runner.delete(f"/api/v1/models/{model.public_id}/").status_code == 204
    assert runner.get(f"/api/v1/models/{model.public_id}/").status_code == 404

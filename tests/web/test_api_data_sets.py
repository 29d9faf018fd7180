"""Data sets over the API: register by upload or path, follow, read rows, and name one in a recipe."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from runs.api.recipes import SMALLEST
from runs.models import DataSet, Project, Role, Status
from tests.web.some_clients import a_client, client_of
from tests.web.some_data import ROWS, a_data_set, a_recipe_on, lines
from tests.web.some_runs import a_project
from workers.recipe_text import dump_document

pytestmark = pytest.mark.django_db
URL = "/api/v1/projects/team/data-sets/"


@pytest.fixture
def runner(project: Project) -> APIClient:
    return a_client(project, Role.RUNNER)


def upload(client: APIClient, **given: Any) -> Any:
    file = SimpleUploadedFile("mine.jsonl", lines(ROWS).encode())
    return client.post(URL, {"name": "own", "file": file, **given}, format="multipart")


def test_rows_are_uploaded_then_followed_and_read(runner: APIClient, project: Project) -> None:
    answer = upload(runner, grader="exact")
    assert answer.status_code == 201, answer.content
    found = runner.get(answer["Location"]).json()
    assert (found["name"], found["version"], found["status"], found["summary"]) == ("own", 1, "queued", None)
    assert found["origin"] == "mine.jsonl"
    assert runner.get(f"{answer['Location']}rows/").json() == {"results": [], "next_cursor": None}
    assert [row["id"] for row in runner.get(URL).json()["results"]] == [found["id"]]


def test_rows_and_bad_rows_come_in_pages(runner: APIClient, project: Project) -> None:
    data_set = a_data_set(project, [*ROWS, "{"])
    there = f"/api/v1/data-sets/{data_set.public_id}/"
    found = runner.get(there).json()
    assert (found["summary"]["n_rows"], found["summary"]["n_bad"]) == (len(ROWS), 1)
    first = runner.get(f"{there}rows/?limit=60").json()
    rest = runner.get(f"{there}rows/?limit=60&cursor={first['next_cursor']}").json()
    assert [row["line"] for row in (*first["results"], *rest["results"])] == list(range(1, len(ROWS) + 1))
    assert rest["next_cursor"] is None
    (bad,) = runner.get(f"{there}bad-rows/").json()["results"]
    assert (bad["line"], bad["text"]) == (len(ROWS) + 1, "{\n")
    assert runner.get(f"{there}rows/?cursor=-1").status_code == 422
    DataSet.objects.update(status=Status.FAILED)  # as where no row can be used
    assert runner.get(f"{there}rows/").json()["results"] == []
    assert runner.get(f"{there}bad-rows/").json()["results"] == [bad]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "Own", "path": "/a"}, "name"),
        ({"name": "stem", "path": "/a"}, "name"),
        ({"name": "own"}, "path"),
        ({"name": "own", "path": "/etc/passwd"}, "path"),
        ({"name": "own", "path": "/a\x00b"}, "path"),
        ({"name": "own", "path": "/a", "grader": "magic"}, "grader"),
        ({"name": "own", "path": "/a", "use": "all"}, "use"),
        ({"name": "own", "path": "/a", "more": 1}, "more"),
    ],
)
def test_what_cannot_be_registered_is_a_problem_of_its_field(
    runner: APIClient, given: dict[str, Any], field: str
) -> None:
    answer = runner.post(URL, given)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not DataSet.objects.exists()


def test_an_upload_without_a_file_or_with_a_path_is_refused(runner: APIClient) -> None:
    assert runner.post(URL, {"name": "own"}, format="multipart").status_code == 422
    assert runner.post(URL, {"name": "own", "path": "/etc/passwd"}, format="multipart").status_code == 422


def test_a_path_below_an_allowed_folder_is_taken(
    runner: APIClient, project: Project, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text(lines(ROWS))
    settings.DATA_DIRS = [tmp_path]
    answer = runner.post(URL, {"name": "own", "path": str(tmp_path / "rows.jsonl"), "use": "train"})
    assert answer.status_code == 201, answer.content
    assert project.data_sets.get().use == "train"


def test_a_viewer_registers_nothing_and_a_stranger_sees_nothing(project: Project) -> None:
    data_set = a_data_set(project)
    assert upload(a_client(project, Role.VIEWER)).status_code == 403
    stranger = client_of(a_project("Elsewhere", owner="eve").members.get())
    for part in ("", "rows/", "bad-rows/"):
        assert stranger.get(f"/api/v1/data-sets/{data_set.public_id}/{part}").status_code == 404
    assert upload(stranger).status_code == 404


def test_a_recipe_names_a_data_set_in_json_and_in_yaml(runner: APIClient, project: Project) -> None:
    data_set = a_data_set(project)
    saved = runner.post("/api/v1/projects/team/recipes/", a_recipe_on("own"))
    assert saved.status_code == 201, saved.content
    assert saved.json()["document"]["data_sets"]["own"]["digest"] == data_set.digest
    text = dump_document(json.loads(json.dumps(a_recipe_on("own"))))  # without shared parts, which YAML would name
    again = runner.post("/api/v1/projects/team/recipes/", text, content_type="application/yaml")
    assert again.json()["id"] == saved.json()["id"]


def test_a_recipe_of_rows_that_the_project_does_not_have_is_refused(runner: APIClient, project: Project) -> None:
    a_data_set(a_project("Other", owner="eve"))
    answer = runner.post("/api/v1/projects/team/recipes/", a_recipe_on("own"))
    assert answer.status_code == 422
    assert "found domain 'own'" in json.dumps(answer.json()["errors"])
    pinned = {**a_recipe_on("own"), "data_sets": {"own": {"digest": "0" * 64, "splits": {}}}}
    answer = runner.post("/api/v1/projects/team/recipes/", pinned)
    assert answer.json()["errors"][0]["field"] == "data_sets.own"


def test_the_leaks_of_a_recipe_are_told_once_they_are_known(runner: APIClient, project: Project) -> None:
    a_data_set(project)
    saved = runner.post("/api/v1/projects/team/recipes/", a_recipe_on("own")).json()
    there = f"/api/v1/recipes/{saved['id']}/leaks/"
    assert runner.get(there).json() == {"status": "queued", "failure_reason": "", "report": None}
    without = runner.post("/api/v1/projects/team/recipes/", SMALLEST).json()
    assert runner.get(f"/api/v1/recipes/{without['id']}/leaks/").json()["status"] is None


def test_what_nothing_needs_can_be_deleted(runner: APIClient, project: Project) -> None:
    there = f"/api/v1/data-sets/{a_data_set(project).public_id}/"
    a_recipe = runner.post("/api/v1/projects/team/recipes/", a_recipe_on("own"), format="json")
    assert a_recipe.status_code == 201, a_recipe.content
    answer = runner.delete(there)
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    spare = f"/api/v1/data-sets/{a_data_set(project, ROWS[:50], name='spare').public_id}/"
    assert runner.delete(spare).status_code == 204
    assert runner.get(spare).status_code == 404
    viewer = a_client(project, Role.VIEWER)
    assert viewer.delete(there).status_code == 403

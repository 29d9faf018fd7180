"""Lists over the API: whole whatever the page size, undisturbed by new rows, in few queries."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from runs.access import ensure_project
from runs.models import Project, Role, Run
from tests.web.some_clients import a_client
from tests.web.some_runs import a_member, a_project, a_recipe, a_run, finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(project: Project) -> APIClient:
    return a_client(project, Role.VIEWER)


def pages(client: APIClient, url: str, limit: int) -> Iterator[list[dict[str, object]]]:
    cursor = ""
    while cursor is not None:
        page = client.get(url, {"limit": limit, "cursor": cursor}).json()
        yield page["results"]
        cursor = page["next_cursor"]


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (500, [5])])
def test_pages_hold_every_run_once(client: APIClient, project: Project, limit: int, sizes: list[int]) -> None:
    for _ in range(5):
        a_run(project)
    found = list(pages(client, "/api/v1/projects/team/runs/", limit))
    assert [len(page) for page in found] == sizes
    assert [run["number"] for page in found for run in page] == [5, 4, 3, 2, 1]


def test_a_new_row_does_not_disturb_the_pages_after_a_cursor(client: APIClient, project: Project) -> None:
    for _ in range(3):
        a_run(project)
    reading = pages(client, "/api/v1/projects/team/runs/", 2)
    assert [run["number"] for run in next(reading)] == [3, 2]
    a_run(project)
    assert [run["number"] for run in next(reading)] == [1]


def test_recipes_come_newest_first(client: APIClient, project: Project) -> None:
    for seed in range(3):
        a_run(project, spec=a_recipe(seed=seed))
    found = [recipe["version"] for page in pages(client, "/api/v1/projects/team/recipes/", 2) for recipe in page]
    assert found == [3, 2, 1]


def test_projects_are_ones_own_with_ones_role(client: APIClient, project: Project) -> None:
    viewer = project.members.get(username="a-viewer")
    ensure_project("Mine", viewer)
    a_member(a_project("Third", owner="eve"), "zoe", Role.OWNER)
    found = [item for page in pages(client, "/api/v1/projects/", 1) for item in page]
    assert [(item["slug"], item["role"]) for item in found] == [("mine", "owner"), ("team", "viewer")]


def test_no_list_asks_more_of_the_database_for_more_rows(client: APIClient, project: Project) -> None:
    run = a_run(project)
    finish(run, "warm")
    addresses = [
        "projects/",
        "projects/team/recipes/",
        "projects/team/runs/",
        f"runs/{run.public_id}/",
        f"runs/{run.public_id}/stages/",
        f"runs/{run.public_id}/checkpoints/",
        f"checkpoints/{run.checkpoints.get(stage__name='warm').public_id}/scores/",
        f"runs/{run.public_id}/drift/",
    ]
    before = {address: count(client, address) for address in addresses}
    finish(run, "if_rl", "mopd")
    for seed in range(1, 5):
        finish(a_run(project, spec=a_recipe(seed=seed)), "warm")
    assert Run.objects.count() == 5
    assert {address: count(client, address) for address in addresses} == before
    assert max(before.values()) <= 12


def count(client: APIClient, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(f"/api/v1/{address}").status_code == 200
    return len(queries)

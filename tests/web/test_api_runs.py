"""Runs and stages over the API: start, follow, act; statuses in the words of the model."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from runs import lifecycle
from runs.models import Project, Role, Run, Status
from runs.recipes import save_recipe
from tests.web.some_clients import a_client
from tests.web.some_runs import a_project, a_recipe, a_run, begin, claim, finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(project: Project) -> APIClient:
    return a_client(project, Role.RUNNER)


def read(client: APIClient, run: Run) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/v1/runs/{run.public_id}/").json()
    return found


def act(client: APIClient, run: Run, action: str) -> Any:
    return client.post(f"/api/v1/runs/{run.public_id}/{action}/")


def test_a_run_is_started_and_read(client: APIClient, project: Project) -> None:
    recipe = save_recipe(project=project, spec=a_recipe(seed=3), user=project.members.filter(username="ada").get())
    started = client.post("/api/v1/projects/team/runs/", {"recipe": recipe.public_id, "name": "brave", "seed": 11})
    assert started.status_code == 201
    found = client.get(started["Location"]).json()
    assert found == started.json()
    assert (found["number"], found["name"], found["seed"], found["status"]) == (1, "brave", 11, "queued")
    assert found["recipe"] == {"id": recipe.public_id, "name": "small", "version": 1}
    assert [(stage["name"], stage["kind"]) for stage in found["stages"]] == [
        ("warm", "sft"),
        ("if_rl", "grpo"),
        ("mopd", "mopd"),
    ]
    assert found["actions"] == ["pause", "cancel"]


def test_name_and_seed_left_out_are_the_recipes(client: APIClient, project: Project) -> None:
    recipe = save_recipe(project=project, spec=a_recipe(seed=3), user=project.members.filter(username="ada").get())
    found = client.post("/api/v1/projects/team/runs/", {"recipe": recipe.public_id}).json()
    assert (found["name"], found["seed"]) == ("small", 3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recipe": "rec_0000000000000000"}, "recipe"),
        ({"recipe": None}, "recipe"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"seed": -1}, "seed"),
        ({"seed": "soon"}, "seed"),
    ],
)
def test_a_start_that_is_refused_names_the_field(client: APIClient, project: Project, change: Any, field: str) -> None:
    recipe = a_run(project).recipe
    response = client.post("/api/v1/projects/team/runs/", {"recipe": recipe.public_id, **change})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    assert Run.objects.count() == 1


def test_a_recipe_of_another_project_cannot_be_started(client: APIClient) -> None:
    foreign = a_run(a_project("Elsewhere", owner="eve")).recipe
    response = client.post("/api/v1/projects/team/runs/", {"recipe": foreign.public_id})
    assert response.json()["errors"][0]["code"] == "does_not_exist"


def test_a_run_is_paused_resumed_cancelled_and_retried(client: APIClient, project: Project) -> None:
    run = a_run(project)
    for action, status, possible in [
        ("pause", "paused", ["resume", "cancel"]),
        ("resume", "queued", ["pause", "cancel"]),
        ("cancel", "cancelled", ["retry"]),
        ("retry", "queued", ["pause", "cancel"]),
    ]:
        response = act(client, run, action)
        assert response.status_code == 200
        assert (response.json()["status"], response.json()["actions"]) == (status, possible)
        assert response.json() == read(client, run)


def test_what_the_status_does_not_allow_is_a_conflict(client: APIClient, project: Project) -> None:
    run = a_run(project)
    response = act(client, run, "resume")
    assert (response.status_code, response.json()["code"]) == (409, "not_possible")
    assert "paused" in response.json()["detail"]


def test_an_action_takes_no_fields(client: APIClient, project: Project) -> None:
    run = a_run(project)
    response = client.post(f"/api/v1/runs/{run.public_id}/cancel/", {"force": True})
    assert response.json()["errors"][0]["code"] == "extra_forbidden"
    assert read(client, run)["status"] == "queued"


def test_a_viewer_is_offered_no_action(project: Project) -> None:
    assert read(a_client(project, Role.VIEWER), a_run(project))["actions"] == []


def test_a_run_at_work_tells_where_it_is(client: APIClient, project: Project) -> None:
    run = a_run(project)
    begin(run, "warm", step=4)
    [stage, *_] = client.get(f"/api/v1/runs/{run.public_id}/stages/").json()["results"]
    assert (stage["status"], stage["step"], stage["n_steps"], stage["substep"]) == ("running", 4, 6, "sample")
    assert (stage["attempt"], stage["worker"], stage["starts_from"]) == (1, "host:1", "base")
    assert read(client, run)["status"] == "running"


def test_a_finished_run_has_succeeded(client: APIClient, project: Project) -> None:
    run = a_run(project)
    finish(run, "warm", "if_rl", "mopd")
    found = read(client, run)
    assert (found["status"], found["actions"]) == ("succeeded", [])
    assert {stage["status"] for stage in found["stages"]} == {"succeeded"}


def test_a_stage_shows_its_spec_what_was_decided_and_its_attempts(client: APIClient, project: Project) -> None:
    run = a_run(project)
    finish(run, "warm", "if_rl", "mopd")
    mopd = run.stages.get(name="mopd")
    found = client.get(f"/api/v1/stages/{mopd.public_id}/").json()
    assert found["spec"] == mopd.spec.model_dump(mode="json")
    assert found["resolved"]["teachers"].keys() == {"instructions", "stem"}
    assert (found["run"], found["starts_from"]) == (run.public_id, "if_rl")
    assert [(attempt["number"], attempt["ending"]) for attempt in found["attempts"]] == [(1, "succeeded")]


def test_a_failed_stage_says_why_and_is_retried(client: APIClient, project: Project) -> None:
    run = a_run(project)
    stage = run.stages.get(name="warm")
    url = f"/api/v1/stages/{stage.public_id}/"
    assert client.post(f"{url}retry/").json()["code"] == "not_possible"
    lifecycle.fail(claim(stage), code="out_of_memory", reason="memory ran out")
    found = client.get(url).json()
    assert (found["status"], found["failure"]) == ("failed", {"code": "out_of_memory", "reason": "memory ran out"})
    assert found["attempts"][0]["reason"] == "memory ran out"
    retried = client.post(f"{url}retry/").json()
    assert (retried["status"], retried["failure"]) == ("queued", None)


def test_a_log_is_read_from_its_end(client: APIClient, project: Project) -> None:
    run = a_run(project)
    url = f"/api/v1/stages/{run.stages.get(name='warm').public_id}/log/"
    assert client.get(url).json() == {"text": ""}
    finish(run, "warm")
    assert client.get(url).json() == {"text": "warm went well\n"}
    assert client.get(f"{url}?max_bytes=9").json() == {"text": ""}, "no line ends within the last 9 bytes"
    assert client.get(f"{url}?max_bytes=0").status_code == 422


def test_statuses_are_the_models_words(client: APIClient, project: Project) -> None:
    run = a_run(project)
    begin(run, "warm")
    for status in (Status.QUEUED, Status.RUNNING, Status.PAUSED, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
        run.stages.update(status=status, lease_until=None)
        assert {stage["status"] for stage in read(client, run)["stages"]} == {status.value}
        assert read(client, run)["status"] == Run.objects.get(pk=run.pk).status.value

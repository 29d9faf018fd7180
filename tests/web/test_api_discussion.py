"""Discussion over the API."""

import pytest
from rest_framework.test import APIClient

from runs.models import Role, Run
from tests.web.some_clients import a_client, client_of
from tests.web.some_runs import finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(run: Run) -> APIClient:
    finish(run, "warm")
    return client_of(run.created_by)


@pytest.fixture
def reviewer(run: Run) -> APIClient:
    return a_client(run.project, Role.REVIEWER)


def test_a_thread_is_started_answered_edited_and_resolved(run: Run, ada: APIClient, reviewer: APIClient) -> None:
    anchor = {"kind": "item", "row": "warm", "domain": "stem", "item": 2}
    response = ada.post(f"/api/v1/runs/{run.public_id}/threads/", {"anchor": anchor, "text": "@a-reviewer, why?"})
    assert response.status_code == 201
    thread = response.json()
    assert (thread["anchor"], thread["about"]) == (anchor, "warm · STEM, problem 2")
    assert thread["url"] == "/projects/team/runs/1/drift/?cell=warm:stem#cell"
    address = f"/api/v1/threads/{thread['id']}/"
    [notice] = reviewer.get("/api/v1/notices/").json()["results"]
    assert (notice["kind"], notice["thread"], notice["read_at"]) == ("mention", thread["id"], None)
    assert reviewer.post("/api/v1/notices/read/", {"ids": [notice["id"]]}).json() == {"marked": 1}
    assert reviewer.post("/api/v1/notices/read/").json() == {"marked": 0}
    comment = reviewer.post(f"{address}comments/", {"text": "noise"}).json()
    edited = reviewer.patch(f"/api/v1/comments/{comment['id']}/", {"text": "noise, n = 16"}).json()
    assert [edit["text"] for edit in edited["edits"]] == ["noise"]
    assert ada.post(f"{address}resolve/").json()["resolved_by"] == "ada"
    assert reviewer.delete(f"/api/v1/comments/{comment['id']}/").status_code == 204
    assert [said["text"] for said in ada.get(address).json()["comments"]] == ["@a-reviewer, why?", ""]
    assert ada.post(f"{address}reopen/").json()["resolved_by"] is None
    [listed] = ada.get(f"/api/v1/runs/{run.public_id}/threads/").json()["results"]
    assert listed["id"] == thread["id"]


@pytest.mark.parametrize("anchor", [{"kind": "stage", "stage": "nope"}, {"kind": "planet"}, [], "run", None, {}])
def test_a_place_that_is_not_there_is_an_error_of_its_field(anchor: object, run: Run, ada: APIClient) -> None:
    response = ada.post(f"/api/v1/runs/{run.public_id}/threads/", {"anchor": anchor, "text": "why?"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["path"] == "/anchor"


def test_words_of_others_are_theirs(run: Run, ada: APIClient, reviewer: APIClient) -> None:
    body = {"anchor": {"kind": "run"}, "text": "mine"}
    [comment] = reviewer.post(f"/api/v1/runs/{run.public_id}/threads/", body).json()["comments"]
    for response in (
        ada.patch(f"/api/v1/comments/{comment['id']}/", {"text": "yours"}),
        ada.delete(f"/api/v1/comments/{comment['id']}/"),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    resolved = f"/api/v1/threads/{run.threads.get().public_id}/reopen/"
    assert ada.post(resolved).json()["code"] == "not_possible"

"""Sign-off over the API: the same rules as on the pages, with a code for each refusal."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from runs.models import ItemResult, Role, Run
from tests.web.some_clients import a_client, client_of
from tests.web.some_runs import finish

pytestmark = pytest.mark.django_db
PROPOSALS = "/api/v1/projects/team/proposals/"


@pytest.fixture
def owner(run: Run) -> APIClient:
    finish(run, "warm")
    return client_of(run.created_by)


@pytest.fixture
def reviewer(run: Run, owner: APIClient) -> APIClient:
    return a_client(run.project, Role.REVIEWER)


def _propose(owner: APIClient, run: Run) -> dict[str, Any]:
    checkpoint = run.checkpoints.get(stage__name="warm")
    response = owner.post(PROPOSALS, {"checkpoint": checkpoint.public_id, "note": "look"})
    assert response.status_code == 201
    made: dict[str, Any] = response.json()
    assert response["Location"].endswith(f"/api/v1/proposals/{made['id']}/")
    return made


def test_a_checkpoint_goes_from_proposal_to_alias(owner: APIClient, reviewer: APIClient, run: Run) -> None:
    made = _propose(owner, run)
    address = f"/api/v1/proposals/{made['id']}/"
    assert (made["state"], made["still_needed"]) == ("awaiting review", "it waits for 1 approval")
    assert len(made["frozen"]["scores"]) == 4
    said = reviewer.post(f"{address}review/", {"verdict": "approve", "digest": made["digest"]}).json()
    assert (said["state"], said["approved_by"], said["still_needed"]) == ("approved", ["a-reviewer"], "")
    alias = owner.post(f"{address}promote/", {"alias": "production"}).json()
    assert alias["checkpoint"] == made["checkpoint"]
    assert owner.get("/api/v1/projects/team/aliases/").json()["results"] == [alias]
    [listed] = owner.get(PROPOSALS).json()["results"]
    assert listed["state"] == "promoted"
    log = owner.get("/api/v1/projects/team/audit/?limit=1").json()
    assert log["results"][0]["after"]["production"] == made["checkpoint"]
    older = owner.get(f"/api/v1/projects/team/audit/?cursor={log['next_cursor']}").json()["results"]
    assert [entry["action"] for entry in older] == ["proposal.reviewed", "proposal.made"]


def test_every_refusal_has_its_code(owner: APIClient, reviewer: APIClient, run: Run) -> None:
    made = _propose(owner, run)
    address = f"/api/v1/proposals/{made['id']}/"
    again = {"checkpoint": made["checkpoint"], "note": "look"}

    def code(client: APIClient, url: str, body: dict[str, Any]) -> tuple[int, str]:
        response = client.post(url, body)
        assert response["Content-Type"] == "application/problem+json"
        return response.status_code, response.json()["code"]

    assert code(owner, PROPOSALS, again) == (409, "already_proposed")
    assert code(owner, f"{address}review/", {"verdict": "approve"}) == (409, "own_proposal")
    assert code(owner, f"{address}promote/", {}) == (409, "policy_unmet")
    assert code(owner, f"{address}renew/", {}) == (409, "not_stale")
    assert code(reviewer, f"{address}promote/", {}) == (403, "role_too_low")
    assert code(reviewer, f"{address}review/", {"verdict": "reject"}) == (422, "invalid")
    assert code(reviewer, f"{address}review/", {"verdict": "maybe"}) == (422, "invalid")
    assert code(owner, PROPOSALS, {"checkpoint": "ckpt_0", "note": "look"}) == (422, "invalid")
    ItemResult.objects.filter(score__checkpoint__public_id=made["checkpoint"]).update(value=0.25)
    assert code(reviewer, f"{address}review/", {"verdict": "approve"}) == (409, "stale")
    assert owner.get(address).json()["is_stale"]
    assert not owner.post(f"{address}renew/").json()["is_stale"]
    assert owner.post(f"{address}withdraw/").json()["state"] == "withdrawn"
    assert code(reviewer, f"{address}review/", {"verdict": "approve"}) == (409, "closed")


def test_queries_do_not_grow_with_verdicts_or_proposals(owner: APIClient, run: Run) -> None:
    first = _propose(owner, run)
    addresses = (f"/api/v1/proposals/{first['id']}/", PROPOSALS, "/api/v1/projects/team/aliases/")
    before = {address: _n_queries(owner, address) for address in addresses}
    for role in (Role.REVIEWER, Role.RUNNER, Role.MAINTAINER):
        a_client(run.project, role).post(f"{addresses[0]}review/", {"verdict": "approve"})
    for name in ("production", "staging", "canary"):
        owner.post(f"{addresses[0]}promote/", {"alias": name})
    finish(run, "if_rl", "mopd")
    for checkpoint in run.checkpoints.exclude(stage__name="warm"):
        owner.post(PROPOSALS, {"checkpoint": checkpoint.public_id, "note": "look"})
    assert len(owner.get(PROPOSALS).json()["results"]) == 4
    assert len(owner.get(addresses[0]).json()["reviews"]) == 3
    assert {address: _n_queries(owner, address) for address in addresses} == before


def _n_queries(client: APIClient, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)

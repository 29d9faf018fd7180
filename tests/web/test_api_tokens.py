"""Tokens over the API: shown once, revoked at once."""

import pytest
from knox.models import AuthToken
from rest_framework.test import APIClient

from runs.models import Role
from tests.web.some_clients import a_client
from tests.web.some_runs import a_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return a_client(a_project(), Role.VIEWER)


def with_token(token: str) -> APIClient:
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")


def test_a_token_is_shown_once_and_works_until_it_is_revoked(client: APIClient) -> None:
    made = client.post("/api/v1/tokens/", {"days": 7})
    assert made.status_code == 201
    token, key = made.json()["token"], made.json()["key"]
    assert with_token(token).get("/api/v1/projects/").status_code == 200
    listed = client.get("/api/v1/tokens/")
    assert [found["key"] for found in listed.json()["results"]] == [key]
    assert token not in listed.content.decode()
    assert client.delete(f"/api/v1/tokens/{key}/").status_code == 204
    assert with_token(token).get("/api/v1/projects/").status_code == 401


def test_a_token_cannot_make_another(client: APIClient) -> None:
    token = client.post("/api/v1/tokens/").json()["token"]
    response = with_token(token).post("/api/v1/tokens/")
    assert (response.status_code, response.json()["code"]) == (403, "needs_session")
    assert AuthToken.objects.count() == 1


def test_tokens_are_ones_own(client: APIClient) -> None:
    owner = a_project("Elsewhere", owner="eve").members.get()
    foreign, _ = AuthToken.objects.create(owner)
    assert client.get("/api/v1/tokens/").json()["results"] == []
    assert client.delete(f"/api/v1/tokens/{foreign.token_key}/").status_code == 404


@pytest.mark.parametrize("days", [0, 366, "x"])
def test_a_token_expires_within_a_year(client: APIClient, days: object) -> None:
    response = client.post("/api/v1/tokens/", {"days": days})
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "/days")

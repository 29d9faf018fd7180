"""Errors of the API: problem documents with a stable code, whatever went wrong."""

import logging

import pytest
from django.http import HttpResponse
from rest_framework.test import APIClient

from runs.api.bodies import MAX_BYTES
from runs.models import Role
from tests.web.some_clients import a_client
from tests.web.some_runs import a_project

pytestmark = pytest.mark.django_db

RECIPES = "/api/v1/projects/team/recipes/"


@pytest.fixture
def client() -> APIClient:
    return a_client(a_project(), Role.RUNNER)


def code(response: HttpResponse, status: int) -> str:
    """Check that an answer is a problem of this status, and give its code."""
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()  # type: ignore[attr-defined]
    assert problem.keys() >= {"type", "title", "status", "code", "detail", "request_id"}
    assert problem["request_id"] == response["X-Request-ID"]
    assert (problem["status"], response.status_code) == (status, status)
    return str(problem["code"])


@pytest.mark.parametrize(
    "path", ["", "nothing/", "nothing", "runs/1/", "projects/Te am/runs/", "runs/run_%00/", "presets/none/"]
)
def test_an_address_that_is_none(client: APIClient, path: str) -> None:
    assert code(client.get(f"/api/v1/{path}"), 404) == "not_found"


def test_an_address_without_its_last_slash_keeps_method_and_query(client: APIClient) -> None:
    response = client.post("/api/v1/projects/team/runs?a=b", {"recipe": "rec_"})
    assert (response.status_code, response["Location"]) == (308, "/api/v1/projects/team/runs/?a=b")


def test_a_method_that_is_none(client: APIClient) -> None:
    response = client.delete(RECIPES)
    assert code(response, 405) == "method_not_allowed"
    assert "POST" in response["Allow"]


def test_an_answer_that_cannot_be_given(client: APIClient) -> None:
    assert code(client.get(RECIPES, HTTP_ACCEPT="image/png"), 406) == "not_acceptable"


def test_a_body_of_another_kind(client: APIClient) -> None:
    assert code(client.post(RECIPES, "a=b", content_type="text/csv"), 415) == "unsupported_media_type"


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b""])
def test_a_body_that_is_not_json(client: APIClient, text: bytes) -> None:
    response = client.post(RECIPES, text, content_type="application/json")
    if text:
        assert code(response, 400) == "parse_error"
    else:
        assert code(response, 422) == "invalid_recipe"


@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
def test_a_body_that_is_too_large(client: APIClient, kind: str) -> None:
    response = client.post(RECIPES, b" " * (MAX_BYTES + 1), content_type=kind)
    assert code(response, 413) == "too_large"


def test_a_field_that_is_none(client: APIClient) -> None:
    response = client.post("/api/v1/projects/team/runs/", {"recipe": "rec_0000000000000000", "sede": 3})
    assert code(response, 422) == "invalid"
    [error] = response.json()["errors"]
    assert (error["path"], error["field"], error["code"]) == ("/sede", "sede", "extra_forbidden")


@pytest.mark.parametrize(
    ("asked", "field"), [("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("cursor=rec_0", "cursor")]
)
def test_a_query_parameter_that_is_wrong(client: APIClient, asked: str, field: str) -> None:
    response = client.get(f"{RECIPES}?{asked}")
    assert code(response, 422) == "invalid"
    assert [error["path"] for error in response.json()["errors"]] == [f"/{field}"]


def test_a_query_parameter_that_is_none_is_ignored(client: APIClient) -> None:
    assert client.get(f"{RECIPES}?colour=blue").status_code == 200


def test_an_error_of_ours_says_no_more_than_its_name_in_the_log(
    client: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr("runs.api.recipes.project_for", break_down)
    with caplog.at_level(logging.ERROR, "runs.api.problems"):
        response = client.get(RECIPES)
    assert code(response, 500) == "internal_error"
    assert "secret" not in response.content.decode()
    assert response.json()["request_id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text

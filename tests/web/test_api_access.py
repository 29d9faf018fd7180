"""Who the API answers: members of a project by their role; nobody else learns that it exists."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from knox.models import AuthToken
from rest_framework.test import APIClient

from runs.api.urls import urlpatterns
from runs.models import Project, Role, Run

NAMES = [pattern.name for pattern in urlpatterns if pattern.name not in ("api-docs", "api-unknown")]
ANYBODYS = {"api-projects", "api-recipe-schema", "api-presets", "api-preset", "api-tokens", "api-token", "api-schema"}


def address(name: str, run: Run) -> str:
    """An address of each name that a member finds something at."""
    stage, checkpoint = run.stages.get(name="sft"), run.checkpoints.get(stage__name="sft")
    digest = checkpoint.scores.get(benchmark__domain="stem", benchmark__split="test").benchmark.digest
    slug, of_run, of_stage, of_checkpoint = (
        [run.project.slug],
        [run.public_id],
        [stage.public_id],
        [checkpoint.public_id],
    )
    arguments = {
        "api-recipes": slug,
        "api-runs": slug,
        "api-recipe": [run.recipe.public_id],
        "api-checkpoint": of_checkpoint,
        "api-scores": of_checkpoint,
        "api-score-items": [checkpoint.public_id, digest],
        "api-metric": [stage.public_id, "loss"],
        "api-preset": ["tiny-cascade"],
        "api-token": ["0123456789abcde"],
        **dict.fromkeys(("api-stage", "api-stage-retry", "api-stage-log", "api-metrics"), of_stage),
        **dict.fromkeys((name for name in NAMES if name.startswith("api-run-")), of_run),
        **dict.fromkeys(("api-run", "api-stages", "api-checkpoints", "api-drift"), of_run),
    }
    return reverse(name, args=arguments.get(name, []))


def answers(client: APIClient, url: str) -> Iterator[int]:
    for method in ("get", "post", "put", "patch", "delete"):
        yield getattr(client, method)(url).status_code


def test_every_address_is_closed_to_a_visitor(finished_run: Run) -> None:
    visitor = APIClient()
    for url in [*(address(name, finished_run) for name in NAMES), "/api/v1/", "/api/v1/nothing", "/api/v1/no/thing/"]:
        assert set(answers(visitor, url)) == {401}, url
        response = visitor.get(url)
        assert response["WWW-Authenticate"] == "Bearer"
        assert response.json()["code"] == "not_authenticated"


def test_the_page_sends_a_visitor_to_sign_in(db: None) -> None:
    assert APIClient().get(reverse("api-docs")).status_code == 302


def test_a_member_is_answered_at_every_address(finished_run: Run, viewer: APIClient) -> None:
    actions = {name for name in NAMES if name.startswith("api-run-") or name.endswith("retry")} | {"api-token"}
    for name in set(NAMES) - actions:
        assert viewer.get(address(name, finished_run)).status_code == 200, name


def test_to_a_stranger_nothing_of_a_project_exists(finished_run: Run, stranger: User) -> None:
    client = APIClient()
    client.force_authenticate(stranger)
    for name in set(NAMES) - ANYBODYS:
        found = set(answers(client, address(name, finished_run)))
        assert found <= {404, 405}, name
        assert 404 in found, name


def test_a_stranger_cannot_tell_a_foreign_id_from_none(finished_run: Run, stranger: User) -> None:
    client = APIClient()
    client.force_authenticate(stranger)
    foreign, none = client.get(address("api-run", finished_run)), client.get("/api/v1/runs/run_0000000000000000/")
    assert {**foreign.json(), "request_id": ""} == {**none.json(), "request_id": ""}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
def test_a_reader_may_not_act(finished_run: Run, as_role: Callable[[Role], APIClient], role: Role) -> None:
    client = as_role(role)
    for name in ("api-recipes", "api-runs", "api-run-pause", "api-run-cancel", "api-run-retry", "api-stage-retry"):
        response = client.post(address(name, finished_run))
        assert (response.status_code, response.json()["code"]) == (403, "role_too_low"), name


def test_a_token_signs_in(project: Project, member: Callable[[Role], User]) -> None:
    _, token = AuthToken.objects.create(member(Role.VIEWER))
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert [found["slug"] for found in client.get("/api/v1/projects/").json()["results"]] == [project.slug]


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer wrong", "Bearer two words", "Bearer \xff", "Bearer a\x00b", "Basic YTpi"]
)
def test_a_wrong_token_does_not(db: None, header: str) -> None:
    response = APIClient(HTTP_AUTHORIZATION=header).get("/api/v1/projects/")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


def test_a_token_that_has_expired_does_not(member: Callable[[Role], User]) -> None:
    _, token = AuthToken.objects.create(member(Role.VIEWER), expiry=timedelta(seconds=-1))
    assert APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/v1/projects/").status_code == 401


def test_a_session_needs_its_csrf_token_to_change_anything(finished_run: Run, member: Callable[[Role], User]) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(member(Role.RUNNER), backend="django.contrib.auth.backends.ModelBackend")
    url = address("api-run-cancel", finished_run)
    assert client.get(address("api-run", finished_run)).status_code == 200
    response = client.post(url)
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")

"""Who the API answers: members of a project by their role; nobody else learns that it exists."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from knox.models import AuthToken
from rest_framework.test import APIClient

from runs import discussions, reviews
from runs.anchors import RunAnchor
from runs.api.urls import urlpatterns
from runs.models import AddedBenchmark, DataSet, Proposal, RegisteredModel, Role, Run, Thread
from tests.web.some_clients import BACKEND, a_client, client_of
from tests.web.some_data import register_rows
from tests.web.some_runs import a_member, a_project, a_run, finish

pytestmark = pytest.mark.django_db

NAMES = {pattern.name for pattern in urlpatterns} - {"api-docs", "api-unknown"}
ACTIONS = {name for name in NAMES if name.startswith("api-run-")} | {"api-stage-retry"}
OF_PROPOSALS = {f"api-proposal-{action}" for action in ("review", "renew", "withdraw", "promote", "export")}
OF_THREADS = {"api-comments", "api-thread-resolve", "api-thread-reopen"}
POSTED = (
    ACTIONS
    | OF_PROPOSALS
    | OF_THREADS
    | {"api-hold", "api-release", "api-cancel-top-ups", "api-estimate", "api-notices-read", "api-model-retry"}
)  # what there is nothing to read at
OF_PROJECT = {
    f"api-{name}"
    for name in ("recipes", "runs", "data-sets", "models", "model-folders", "estimate", "proposals", "aliases", "audit")
}
OF_DATA_SETS = {"api-data-set", "api-data-set-rows", "api-data-set-bad-rows"}
ANYBODYS = {"api-projects", "api-recipe-schema", "api-presets", "api-preset", "api-tokens", "api-token", "api-schema"}
ANYBODYS |= {"api-notices", "api-notices-read", "api-published-results"}


@pytest.fixture
def run() -> Run:
    run = a_run(a_project())
    finish(run, "warm")
    return run


def address(name: str, run: Run) -> str:
    """Make an address of each name that a member finds something at."""
    stage, checkpoint = run.stages.get(name="warm"), run.checkpoints.get(stage__name="warm")
    score = checkpoint.scores.get(benchmark__domain="stem", benchmark__split="test")
    arguments: dict[str, tuple[str, ...]] = {
        "api-score-items": (checkpoint.public_id, score.benchmark.digest),
        "api-metric": (stage.public_id, "loss"),
        "api-preset": ("tiny-cascade",),
        "api-preset-samples": (run.project.slug, "tiny-cascade"),
        "api-token": ("0123456789abcde",),
        **dict.fromkeys(("api-recipe", "api-recipe-leaks"), (run.recipe.public_id,)),
        **dict.fromkeys(OF_DATA_SETS, (_data_set(run).public_id,)),
        **dict.fromkeys(("api-model", "api-model-retry"), (_model(run).public_id,)),
        **dict.fromkeys(OF_PROJECT, (run.project.slug,)),
        **dict.fromkeys(
            (*OF_PROPOSALS, "api-proposal", "api-proposal-card", "api-proposal-files"), (_proposal(run).public_id,)
        ),
        **dict.fromkeys((*OF_THREADS, "api-thread"), (_thread(run).public_id,)),
        "api-comment": (_thread(run).comments.get().public_id,),
        **dict.fromkeys(("api-checkpoint", "api-scores"), (checkpoint.public_id,)),
        **dict.fromkeys(("api-stage", "api-stage-retry", "api-stage-log", "api-metrics"), (stage.public_id,)),
        **dict.fromkeys(
            (
                "api-run",
                "api-stages",
                "api-checkpoints",
                "api-drift",
                "api-threads",
                "api-hold",
                "api-release",
                "api-top-ups",
                "api-cancel-top-ups",
                "api-added-benchmarks",
                "api-published-links",
                "api-gates",
            ),
            (run.public_id,),
        ),
        **dict.fromkeys(ACTIONS - {"api-stage-retry"}, (run.public_id,)),
        "api-added-benchmark": (run.public_id, _added(run).domain),
    }
    url = reverse(name, args=arguments.get(name, ()))
    return url if name != "api-compare" else f"{url}?run={run.public_id}&run={_another(run).public_id}"


def _added(run: Run) -> AddedBenchmark:
    about = {"document": {"domain": "tools"}, "added_by": run.created_by}
    return AddedBenchmark.objects.get_or_create(run=run, domain="tools", defaults=about)[0]


def _another(run: Run) -> Run:
    return run.project.runs.exclude(pk=run.pk).first() or a_run(run.project)


def _proposal(run: Run) -> Proposal:
    checkpoint = run.checkpoints.get(stage__name="warm")
    found = Proposal.objects.filter(checkpoint=checkpoint).first()
    return found or reviews.propose(checkpoint, note="look", by=run.created_by)


def _data_set(run: Run) -> DataSet:
    return run.project.data_sets.first() or register_rows(run.project)


def _model(run: Run) -> RegisteredModel:
    return run.project.registered_models.first() or RegisteredModel.objects.create(
        project=run.project, folder="small", created_by=run.created_by
    )


def _thread(run: Run) -> Thread:
    return run.threads.first() or discussions.start_thread(run, RunAnchor(), "hello", by=run.created_by)


def answers(client: APIClient, url: str) -> Iterator[int]:
    for method in ("get", "post", "put", "patch", "delete"):
        yield getattr(client, method)(url).status_code


def test_every_address_is_closed_to_a_visitor(run: Run) -> None:
    visitor = APIClient()
    for url in [*(address(name, run) for name in NAMES), "/api/v1/", "/api/v1/nothing", "/api/v1/no/thing/"]:
        assert set(answers(visitor, url)) == {401}, url
        response = visitor.get(url)
        assert response["WWW-Authenticate"] == "Bearer"
        assert response.json()["code"] == "not_authenticated"


def test_the_page_sends_a_visitor_to_sign_in() -> None:
    assert APIClient().get(reverse("api-docs"))["Location"] == f"{reverse('login')}?next=/api/v1/docs/"


def test_a_member_reads_every_address(run: Run) -> None:
    viewer = a_client(run.project, Role.VIEWER)
    for name in NAMES - POSTED - {"api-token"}:
        assert viewer.get(address(name, run)).status_code == 200, name


def test_to_a_stranger_nothing_of_a_project_exists(run: Run) -> None:
    stranger = client_of(a_project("Elsewhere", owner="eve").members.get())
    for name in NAMES - ANYBODYS:
        found = set(answers(stranger, address(name, run)))
        assert 404 in found, name
        assert found <= {404, 405}, name


def test_a_stranger_cannot_tell_a_foreign_id_from_none(run: Run) -> None:
    stranger = client_of(a_project("Elsewhere", owner="eve").members.get())
    foreign, none = stranger.get(address("api-run", run)), stranger.get("/api/v1/runs/run_0000000000000000/")
    assert {**foreign.json(), "request_id": ""} == {**none.json(), "request_id": ""}


def test_a_viewer_says_nothing(run: Run) -> None:
    viewer = a_client(run.project, Role.VIEWER)
    for name in (*OF_THREADS, "api-threads", "api-proposal-review", "api-hold", "api-release"):
        response = viewer.post(address(name, run))
        assert (response.status_code, response.json()["code"]) == (403, "role_too_low"), name
    for answer in (viewer.patch(address("api-comment", run)), viewer.delete(address("api-comment", run))):
        assert (answer.status_code, answer.json()["code"]) == (403, "role_too_low")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
def test_a_reader_may_not_act(run: Run, role: Role) -> None:
    reader = a_client(run.project, role)
    for name in (
        *ACTIONS,
        *OF_PROPOSALS - {"api-proposal-review"},
        "api-recipes",
        "api-runs",
        "api-data-sets",
        "api-models",
        "api-model-retry",
        "api-preset-samples",
        "api-proposals",
        "api-top-ups",
        "api-cancel-top-ups",
    ):
        response = reader.post(address(name, run))
        assert (response.status_code, response.json()["code"]) == (403, "role_too_low"), name
    assert reader.delete(address("api-added-benchmark", run)).status_code == 403
    for response in (reader.delete(address("api-model", run)), reader.put(address("api-published-links", run))):
        assert (response.status_code, response.json()["code"]) == (403, "role_too_low")


def _member() -> User:
    return a_member(a_project(), "a-viewer", Role.VIEWER)


def test_a_token_signs_in() -> None:
    _, token = AuthToken.objects.create(_member())
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert [found["slug"] for found in client.get("/api/v1/projects/").json()["results"]] == ["team"]


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer wrong", "Bearer two words", "Bearer \xff", "Bearer a\x00b", "Basic YTpi"]
)
def test_a_wrong_token_does_not(header: str) -> None:
    response = APIClient(HTTP_AUTHORIZATION=header).get("/api/v1/projects/")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


def test_a_token_that_has_expired_does_not() -> None:
    _, token = AuthToken.objects.create(_member(), expiry=timedelta(seconds=-1))
    assert APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/v1/projects/").status_code == 401


def test_a_session_needs_its_csrf_token_to_change_anything(run: Run) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(run.project.members.get(), backend=BACKEND)
    assert client.get(address("api-run", run)).status_code == 200
    response = client.post(address("api-run-cancel", run))
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")

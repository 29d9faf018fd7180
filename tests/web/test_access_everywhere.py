"""Every address of the site, as the address list has it: closed to visitors, empty to strangers, read-only to readers."""

from collections.abc import Iterator

import pytest
import sesame.utils
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from knox.models import AuthToken
from rest_framework.test import APIClient

from runs import discussions, reviews
from runs.anchors import RunAnchor
from runs.models import LeakCheck, Proposal, RegisteredModel, Role, Run, Thread
from tests.web.some_clients import BACKEND
from tests.web.some_data import register_rows
from tests.web.some_runs import a_member, a_project, a_run, finish

pytestmark = pytest.mark.django_db
OPEN = {"login", "sign-in-link", "logout", "health"}  # what a visitor needs to come in, and a load balancer
KINDS = ("prop", "thread", "comment", "leak", "model")
PROPOSAL, THREAD, COMMENT, CHECK, MODEL = (f"{kind}_0123456789abcdef" for kind in KINDS)
OF_NO_PROJECT = {"home", "inbox", "new-project", "password", "tokens"}
ARGUMENTS = {
    "slug": "team", "number": 1, "name": "warm", "curve": "loss", "action": "cancel", "version": 1, "proposal": PROPOSAL, "thread": THREAD, "comment": COMMENT, "check": CHECK, "model": MODEL, "domain": "tools",
}  # fmt: skip
OF_REVIEWERS = {
    "review-proposal",
    "runs:threads",
    "reply",
    "resolve-thread",
    "reopen-thread",
    "edit-comment",
    "runs:hold",
    "runs:release",
}  # what needs no more than the role of reviewer
NAMES = {
    "data:detail": "own",
    "data:again": "own",
    "drift-figure": "curves",
    "drift-export": "report.md",
    "recipes:detail": "small",
    "recipes:yaml": "small",
}


def _page_patterns(resolver: URLResolver, prefix: str = "", namespace: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the address of every page, with what a member of the project would find there."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern).strip("^$").replace("/?", "/")
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else namespace
            yield from _page_patterns(pattern, route, inner)
        elif isinstance(pattern, URLPattern) and not route.startswith("api/"):
            name = f"{namespace}{pattern.name}"
            yield name, _filled(route, NAMES.get(name.removeprefix("runs:"), "warm"))


def _filled(route: str, name: str) -> str:
    for argument, value in {**ARGUMENTS, "name": name}.items():
        for kind in ("slug", "int", "str"):
            route = route.replace(f"<{kind}:{argument}>", str(value))
    assert "<" not in route, f"tell this test what to put into {route}"
    return f"/{route}"


PAGES = dict(_page_patterns(get_resolver()))
OF_A_PROJECT = {name: address for name, address in PAGES.items() if name not in OPEN | OF_NO_PROJECT}


@pytest.fixture
def run() -> Run:
    run = a_run(a_project())
    finish(run, "warm")
    register_rows(run.project)
    LeakCheck.objects.create(project=run.project, public_id=CHECK, digest="", pins={"trained": {}, "benchmarks": {}})
    RegisteredModel.objects.create(project=run.project, public_id=MODEL, folder="small", created_by=run.created_by)
    proposal = reviews.propose(run.checkpoints.get(stage__name="warm"), note="look", by=run.created_by)
    Proposal.objects.filter(pk=proposal.pk).update(public_id=PROPOSAL)
    thread = discussions.start_thread(run, RunAnchor(), "hello", by=run.created_by)
    Thread.objects.filter(pk=thread.pk).update(public_id=THREAD)
    thread.comments.update(public_id=COMMENT)
    return run


def _signed_in(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend=BACKEND)
    return client


def test_the_list_has_all_pages() -> None:
    assert {"runs:detail", "runs:log", "runs:figure", "runs:events", "recipes:yaml", "members", "tokens"} <= set(PAGES)
    assert set(PAGES) >= OPEN | OF_NO_PROJECT


@pytest.mark.parametrize("name", sorted(set(PAGES) - OPEN))
def test_a_visitor_is_sent_to_sign_in(run: Run, name: str) -> None:
    for answer in (Client().get(PAGES[name]), Client().post(PAGES[name])):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/sign-in/?next="), answer.headers["Location"]


@pytest.mark.parametrize("name", sorted(OF_A_PROJECT))
def test_to_a_stranger_no_page_exists(run: Run, name: str) -> None:
    stranger = _signed_in(a_member(a_project("Elsewhere", owner="eve"), "mallory", Role.OWNER))
    answers = {stranger.get(OF_A_PROJECT[name]).status_code, stranger.post(OF_A_PROJECT[name]).status_code}
    assert answers <= {404, 405}, name
    assert 404 in answers


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
@pytest.mark.parametrize("name", sorted(set(OF_A_PROJECT) - {"runs:events", "runs:list-events"}))
def test_a_reader_reads_and_changes_nothing(run: Run, name: str, role: Role) -> None:
    reader = _signed_in(a_member(run.project, "vic", role))
    assert reader.get(OF_A_PROJECT[name]).status_code in (200, 405), name
    allowed = (302, 422) if role == Role.REVIEWER and name in OF_REVIEWERS else (403, 405)
    assert reader.post(OF_A_PROJECT[name], {"op": "launch"}).status_code in allowed, name


def test_a_runner_does_not_manage_members(run: Run) -> None:
    runner = _signed_in(a_member(run.project, "rob", Role.RUNNER))
    assert runner.post("/projects/team/members/", {"op": "add", "username": "rob", "role": "owner"}).status_code == 403


@pytest.mark.parametrize("name", sorted(set(PAGES) - {"health"}))
def test_no_page_takes_a_form_from_elsewhere(run: Run, name: str) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(run.created_by, backend=BACKEND)
    allowed = {403, 405} if name != "sign-in-link" else {403, 405, 410}
    assert careful.post(PAGES[name], {"op": "launch"}).status_code in allowed, name


def test_every_page_says_what_a_browser_must_not_do(run: Run) -> None:
    client = _signed_in(run.created_by)
    for name in ("runs:detail", "runs:drift", "recipes:detail", "tokens", "members", "login"):
        headers = client.get(PAGES[name]).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy, name
        assert "frame-ancestors 'none'" in policy, name
        assert "script-src" not in policy or "unsafe" not in policy.split("script-src")[1].split(";")[0], name
        assert headers["X-Frame-Options"] == "DENY", name
        assert headers["X-Content-Type-Options"] == "nosniff", name
        assert headers["Referrer-Policy"] == "same-origin", name


def test_signing_in_gives_a_new_session_and_careful_cookies() -> None:
    User.objects.create_user("ada", password="correct horse battery")
    client = Client()
    client.cookies["sessionid"] = "chosen-by-somebody-else-0123456789"
    client.post("/sign-in/", {"username": "ada", "password": "correct horse battery"})
    cookie = client.cookies["sessionid"]
    assert cookie.value != "chosen-by-somebody-else-0123456789"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.parametrize("there", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_a_sign_in_link_leads_nowhere_else(there: str) -> None:
    user = User.objects.create_user("ada")
    link = f"/sign-in/link/{sesame.utils.get_query_string(user)}&next={there}"
    assert Client().get(link).headers["Location"] == "/"


def test_a_link_is_of_no_use_to_somebody_whose_account_was_closed() -> None:
    user = User.objects.create_user("ada")
    link = "/sign-in/link/" + sesame.utils.get_query_string(user)
    client = _signed_in(user)
    _, token = AuthToken.objects.create(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert Client().get(link).status_code == 410
    assert client.get("/tokens/").status_code == 302
    assert APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/v1/projects/").status_code == 401


def test_a_token_is_kept_as_a_digest_and_dies_when_it_is_revoked() -> None:
    user = User.objects.create_user("ada")
    _, token = AuthToken.objects.create(user)
    kept = AuthToken.objects.filter(user=user).values().get()
    assert all(token not in str(value) for value in kept.values())
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert client.get("/api/v1/projects/").status_code == 200
    AuthToken.objects.filter(user=user).delete()
    assert client.get("/api/v1/projects/").status_code == 401


def test_a_token_opens_no_page_and_no_form(run: Run) -> None:
    _, token = AuthToken.objects.create(run.created_by)
    for answer in (
        Client().get("/projects/team/runs/1/", headers={"Authorization": f"Bearer {token}"}),
        Client().post("/projects/team/runs/1/cancel/", headers={"Authorization": f"Bearer {token}"}),
    ):
        assert answer.status_code == 302


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1@evil.example"])
def test_another_host_is_refused(host: str) -> None:
    assert Client(raise_request_exception=False).get("/sign-in/", headers={"Host": host}).status_code == 400


def test_a_foreign_recipe_cannot_be_copied_or_launched(run: Run) -> None:
    mine = a_project("Elsewhere", owner="eve")
    eve = _signed_in(mine.members.get())
    assert eve.get(f"/projects/elsewhere/new/?recipe={run.recipe.public_id}").status_code == 404
    body = {"recipe": run.recipe.public_id}
    answer = eve.post("/api/v1/projects/elsewhere/runs/", body, content_type="application/json")
    assert answer.status_code == 422
    assert not mine.runs.exists()

"""A body larger than any form of ours is refused before it is written anywhere."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from knox.models import AuthToken

from cascade_web.asgi import MAX_BODY, application
from runs.models import Role
from tests.web.some_clients import BACKEND
from tests.web.some_runs import a_member, a_project

pytestmark = pytest.mark.django_db(transaction=True)
CHUNK = b"x" * 1_000_000


def _post(
    chunks: list[bytes], *headers: tuple[bytes, bytes], path: str = "/sign-in/"
) -> tuple[list[dict[str, Any]], int]:
    """Post to a page, by default the sign-in page; returns what was answered, and how many chunks were taken."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/octet-stream"), *headers],
    }
    sent, taken = [], 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if taken >= len(chunks):
            await asyncio.sleep(3600)  # a browser that waits for its answer
        taken += 1
        return {"type": "http.request", "body": chunks[taken - 1], "more_body": taken < len(chunks)}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    async def limited() -> None:
        await asyncio.wait_for(application(scope, receive, send), timeout=20)

    with ThreadPoolExecutor(1) as pool:  # the browser tests leave a running loop in the main thread
        pool.submit(asyncio.run, limited()).result()
    return sent, taken


@pytest.mark.parametrize("declared", [str(MAX_BODY + 1).encode(), b"9" * 30, b"-1", b"many"])
def test_a_declared_length_is_enough_to_refuse(declared: bytes) -> None:
    sent, taken = _post([CHUNK] * 3, (b"content-length", declared))
    assert sent[0]["status"] == 413
    assert taken == 0


def test_an_undeclared_one_is_cut_off() -> None:
    sent, taken = _post([CHUNK] * 100)
    assert sent == []
    assert taken <= MAX_BODY // len(CHUNK) + 1


def _credentials(user: User, *, by_token: bool) -> tuple[bytes, bytes]:
    if by_token:
        return b"authorization", f"Bearer {AuthToken.objects.create(user)[1]}".encode()
    client = Client()
    client.force_login(user, backend=BACKEND)
    return b"cookie", f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()


@pytest.mark.parametrize(
    ("page", "by_token"), [("/api/v1/projects/team/data-sets/", True), ("/projects/team/data/new/", False)]
)
@pytest.mark.parametrize(("who", "is_taken"), [("runner", True), ("viewer", False), ("stranger", False), (None, False)])
def test_a_file_is_as_large_as_it_may_be_for_those_who_may_send_it(
    page: str, by_token: bool, who: str | None, is_taken: bool
) -> None:
    project = a_project()
    people = {
        "runner": a_member(project, "mia", Role.RUNNER),
        "viewer": a_member(project, "vic", Role.VIEWER),
        "stranger": User.objects.create(username="eve"),
    }
    headers = [_credentials(people[who], by_token=by_token)] if who else [(b"authorization", b"Bearer nonsense")]
    sent, taken = _post([CHUNK] * 8, *headers, (b"content-length", b"8000000"), path=page)
    assert sent[0]["status"] != 413 if is_taken else sent[0]["status"] == 413
    assert taken == (8 if is_taken else 0)


def test_a_file_has_a_limit_too(settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000_000
    mia = a_member(a_project(), "mia", Role.RUNNER)
    declared = (b"content-length", b"8000000")
    sent, taken = _post(
        [CHUNK] * 8, _credentials(mia, by_token=True), declared, path="/api/v1/projects/team/data-sets/"
    )
    assert (sent[0]["status"], taken) == (413, 0)


def test_an_ordinary_form_passes() -> None:
    body = b"username=a&password=b"
    form = (b"content-type", b"application/x-www-form-urlencoded")
    sent, _ = _post([body], (b"content-length", str(len(body)).encode()), form)
    assert sent[0]["status"] == 403  # it lacks its CSRF token, so Django read it

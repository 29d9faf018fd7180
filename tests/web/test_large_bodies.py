"""A body larger than any form of ours is refused before it is written anywhere."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cascade_web.asgi import MAX_BODY, application

pytestmark = pytest.mark.django_db(transaction=True)
CHUNK = b"x" * 1_000_000


def _post(chunks: list[bytes], *headers: tuple[bytes, bytes]) -> tuple[list[dict[str, Any]], int]:
    """Post to the sign-in page; returns what was answered, and how many chunks were taken."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/sign-in/",
        "raw_path": b"/sign-in/",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded"), *headers],
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


def test_an_ordinary_form_passes() -> None:
    body = b"username=a&password=b"
    sent, _ = _post([body], (b"content-length", str(len(body)).encode()))
    assert sent[0]["status"] == 403  # it lacks its CSRF token, so Django read it

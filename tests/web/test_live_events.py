"""Server-sent events: what Redis tells about a run reaches the page."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient

from runs import events
from runs.models import Role, Run
from runs.pages import live
from tests.web.some_runs import a_member, a_project, a_run

pytestmark = pytest.mark.django_db(transaction=True)
EVENTS = "/projects/team/runs/1/events/"


@pytest.fixture
def run() -> Run:
    return a_run(a_project())


def _within_10_s(test: Awaitable[None]) -> None:
    """Run it in a thread of its own: in this one, a browser test before this may have left its event loop."""

    async def limited() -> None:
        try:
            await asyncio.wait_for(test, 10)
        finally:
            await sync_to_async(connections.close_all)()  # of this loop's thread, which ends with it

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, limited()).result()


async def _signed_in(run: Run) -> AsyncClient:
    client = AsyncClient()
    await client.aforce_login(run.created_by)
    return client


async def _next_event(stream: AsyncIterator[bytes]) -> set[str]:
    async for line in stream:
        if line.startswith(b"data: "):
            return set(json.loads(line.removeprefix(b"data: "))["changed"])
    raise AssertionError("the stream ended")


async def _tell_until(told: asyncio.Task[set[str]], tell: Callable[[], None]) -> set[str]:
    """Say it again and again: who has not subscribed yet hears nothing."""
    while not told.done():
        await sync_to_async(tell)()
        await asyncio.sleep(0.05)
    return await told


def test_what_is_published_about_a_run_reaches_its_page(run: Run) -> None:
    async def listen() -> None:
        response = await (await _signed_in(run)).get(EVENTS)
        assert response.headers["Content-Type"] == "text/event-stream"
        stream = aiter(response)
        assert await anext(stream) == b"retry: 2000\n\n"
        told = asyncio.create_task(_next_event(stream))
        assert await _tell_until(told, lambda: events.publish(run.public_id, "steps")) == {"steps"}
        await stream.aclose()

    _within_10_s(listen())


def test_many_events_at_once_become_few(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(live, "QUIET_SECONDS", 0.2)

    async def listen() -> None:
        stream = live.event_stream(events.channel(run.public_id), wanted=live._everything)
        told = asyncio.create_task(_next_event(stream))
        await _tell_until(told, lambda: events.publish(run.public_id, "steps"))
        second = asyncio.create_task(_next_event(stream))
        for what in ("steps", "stages", "scores") * 20:
            await sync_to_async(events.publish)(run.public_id, what)
        assert await second == {"steps", "stages", "scores"}
        await stream.aclose()

    _within_10_s(listen())


def test_a_silent_stream_says_that_it_lives(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)

    async def listen() -> None:
        stream = live.event_stream(events.channel(run.public_id), wanted=live._everything)
        assert (await anext(stream)).startswith(b"retry: ")
        assert await anext(stream) == b": still here\n\n"
        await stream.aclose()

    _within_10_s(listen())


def test_the_list_hears_of_its_own_projects_runs_only(run: Run) -> None:
    other = a_run(a_project("Other", owner="eve"))

    async def listen() -> None:
        response = await (await _signed_in(run)).get("/projects/team/runs/events/")
        stream = aiter(response)
        told = asyncio.create_task(_next_event(stream))

        def tell_both() -> None:
            events.publish(other.public_id, "secret")
            events.publish(run.public_id, "stages")

        assert await _tell_until(told, tell_both) == {"stages"}
        await stream.aclose()

    _within_10_s(listen())


def test_a_stream_ends_when_its_time_is_over(run: Run, monkeypatch) -> None:
    monkeypatch.setattr(live, "STREAM_SECONDS", 0.0)

    async def listen() -> None:
        lines = [line async for line in live.event_stream(events.channel(run.public_id), wanted=live._everything)]
        assert lines == [b"retry: 2000\n\n"]

    _within_10_s(listen())


def test_without_redis_the_page_is_told_to_poll(run: Run, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    async def listen() -> None:
        client = await _signed_in(run)
        assert (await client.get(EVENTS)).status_code == 503
        lines = [line async for line in live.event_stream(events.channel(run.public_id), wanted=live._everything)]
        assert lines == [b"retry: 2000\n\n"]

    _within_10_s(listen())


def test_strangers_hear_nothing(run: Run) -> None:
    stranger = a_member(a_project("Other", owner="eve"), "mallory", Role.OWNER)

    async def listen() -> None:
        client = AsyncClient()
        assert (await client.get(EVENTS)).headers["Location"].startswith("/sign-in/")
        await client.aforce_login(stranger)
        assert (await client.get(EVENTS)).status_code == 404
        assert (await client.get("/projects/team/runs/events/")).status_code == 404

    _within_10_s(listen())

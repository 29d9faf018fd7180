"""Live events: what Redis tells about runs, passed on to open pages as server-sent events.

Events only say that something changed; a page then asks for its fragments again, with its own permission. Whatever was
said within half a second becomes one event, so that a page refreshes twice a second at most. Without Redis the answer
is 503, and the page polls.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET
from redis.asyncio.client import PubSub

from runs import events
from runs.access import project_for
from runs.models import Project, Run
from runs.pages.find import find_run
from runs.streams import let_go_of_the_database

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0  # a silent connection is closed by many a proxy
QUIET_SECONDS = 0.5  # between two events to one page
STREAM_SECONDS = 900.0  # then the page connects anew, and whether it may is asked again
RETRY_MS = 2000
Wanted = Callable[[str], Awaitable[bool]]  # by channel


@require_GET
async def run_events(request: HttpRequest, slug: str, number: int) -> HttpResponse | StreamingHttpResponse:
    """Tell a run's page when something about it changed."""
    try:
        run = await sync_to_async(find_run)(request, slug, number)
    except Http404:
        return _not_found()
    return await _answer(events.channel(run.public_id), wanted=_everything)


@require_GET
async def list_events(request: HttpRequest, slug: str) -> HttpResponse | StreamingHttpResponse:
    """Tell a list of runs when something about any of the project's runs changed."""
    try:
        project = await sync_to_async(_project)(request, slug)
    except Http404:
        return _not_found()
    return await _answer(events.channel("*"), wanted=_only_of(project))


async def _answer(pattern: str, *, wanted: Wanted) -> HttpResponse | StreamingHttpResponse:
    try:
        async with _client() as client:
            await client.ping()
    except redis.RedisError as error:
        logger.warning("no live events, pages poll: %s", error)
        return HttpResponse("Redis does not answer; this page asks for changes by itself.\n", "text/plain", status=503)
    response = StreamingHttpResponse(event_stream(pattern, wanted=wanted), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would keep events until its buffer is full
    return response


async def event_stream(pattern: str, *, wanted: Wanted) -> AsyncIterator[bytes]:
    """Yield events until the reader goes, Redis goes, or STREAM_SECONDS are over."""
    await let_go_of_the_database()
    yield f"retry: {RETRY_MS}\n\n".encode()
    end = time.monotonic() + STREAM_SECONDS
    try:
        async with _client() as client, client.pubsub() as channel:
            await channel.psubscribe(pattern)
            while time.monotonic() < end:
                changed = await _changes(channel, wanted, wait_s=HEARTBEAT_SECONDS)
                if not changed:
                    yield b": still here\n\n"
                    continue
                yield f"data: {json.dumps({'changed': sorted(changed)})}\n\n".encode()
                await asyncio.sleep(QUIET_SECONDS)
    except redis.RedisError as error:
        logger.warning("live events end, pages poll: %s", error)


async def _changes(channel: PubSub, wanted: Wanted, *, wait_s: float) -> set[str]:
    """Wait for an event; return what it and all that already wait behind it say changed, nothing after `wait_s`."""
    changed: set[str] = set()
    deadline = time.monotonic() + wait_s
    while True:
        patience = 0.0 if changed else max(0.0, deadline - time.monotonic())
        message = await channel.get_message(ignore_subscribe_messages=True, timeout=patience)
        if message is not None and await wanted(message["channel"].decode()):
            changed.update(json.loads(message["data"])["changed"])
        elif message is None and (changed or time.monotonic() >= deadline):
            return changed


async def _everything(channel: str) -> bool:
    return True


def _only_of(project: Project) -> Wanted:
    """Keep the runs of a project; whose a run is never changes, so that each is asked about once."""
    known: dict[str, bool] = {}

    async def wanted(channel: str) -> bool:
        if channel not in known:
            public_id = channel.removeprefix(events.channel(""))
            known[channel] = await Run.objects.filter(project=project, public_id=public_id).aexists()
            await let_go_of_the_database()
        return known[channel]

    return wanted


def _not_found() -> HttpResponse:
    """Say so in plain text: nobody reads a stream's answer, and the page for it would take a connection in another thread."""
    return HttpResponse("There is no such run, or it is not yours to see.\n", "text/plain", status=404)


def _project(request: HttpRequest, slug: str) -> Project:
    assert isinstance(request.user, User)
    return project_for(request.user, slug)


def _client() -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)

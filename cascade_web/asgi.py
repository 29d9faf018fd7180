"""The ASGI entry point that uvicorn serves."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cascade_web.settings")
_django = get_asgi_application()

from cascade_web.bodies import MAX_BODY, largest_body  # noqa: E402 - models can be imported now

Event = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]


async def application(scope: Event, receive: Callable[[], Awaitable[Event]], send: Send) -> None:
    """Pass requests on to Django, which would write any body to disk before it asks who sends it, however large."""
    if scope["type"] != "http":
        await _django(scope, receive, send)
        return
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    n_declared = int(declared) if declared.isdigit() and len(declared) <= 15 else None
    is_small = n_declared is not None and n_declared <= MAX_BODY and b"transfer-encoding" not in dict(scope["headers"])
    limit = MAX_BODY if is_small else await sync_to_async(largest_body)(scope)
    if n_declared is None or n_declared > limit:
        await _refuse(send, limit)
        return
    n_bytes = 0

    async def bounded_receive() -> Event:
        nonlocal n_bytes
        event = await receive()
        n_bytes += len(event.get("body", b"")) if event["type"] == "http.request" else 0
        return event if n_bytes <= limit else {"type": "http.disconnect"}

    await _django(scope, bounded_receive, send)


async def _refuse(send: Send, limit: int) -> None:
    words = f"found a body of more than {limit:,} bytes; send less\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": words, "more_body": False})

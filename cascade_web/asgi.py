"""The ASGI entry point that uvicorn serves."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cascade_web.settings")

MAX_BODY = 5_000_000  # bytes; above any form or recipe, which have limits of their own
Event = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]
_django = get_asgi_application()


async def application(scope: Event, receive: Callable[[], Awaitable[Event]], send: Send) -> None:
    """Pass requests on to Django, which would write any body to disk before it asks who sends it, however large."""
    if scope["type"] != "http":
        await _django(scope, receive, send)
        return
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > 15 or int(declared) > MAX_BODY:
        await _refuse(send)
        return
    n_bytes = 0

    async def bounded_receive() -> Event:
        nonlocal n_bytes
        event = await receive()
        n_bytes += len(event.get("body", b"")) if event["type"] == "http.request" else 0
        return event if n_bytes <= MAX_BODY else {"type": "http.disconnect"}

    await _django(scope, bounded_receive, send)


async def _refuse(send: Send) -> None:
    words = f"found a body of more than {MAX_BODY:,} bytes; send less\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": words, "more_body": False})

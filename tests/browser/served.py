"""The application as uvicorn serves it, in a thread of the test: pages hear live events, which a WSGI server cannot send."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from django.conf import settings
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler
from django.test import Client, override_settings
from playwright.sync_api import Page


@contextmanager
def serving() -> Iterator[str]:
    """Serve the application on the test's own database; yields its address."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        override_settings(WHITENOISE_USE_FINDERS=True, WHITENOISE_AUTOREFRESH=True),
    ):
        config = uvicorn.Config(ASGIHandler(), lifespan="off", log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def sign_in(page: Page, address: str, user: User) -> None:
    """Give the browser a session of this person."""
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": address}])

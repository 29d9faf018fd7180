"""A host with something to guard, for the tests of the sandbox."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What a worker has that a program must not reach."""
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    tmp_path.chmod(0o777)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as short:  # a socket's path has to be short
        sockets = {
            "socket": (socket.AF_UNIX, socket.SOCK_STREAM, f"{short}/.s.PGSQL.5432"),
            "abstract": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0cascade-{os.getpid()}"),
            "tcp": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        }
        found: dict[str, object] = {"secret": str(secret), "worker": os.getpid()}
        for name, (family, kind, address) in sockets.items():
            server = stack.enter_context(socket.socket(family, kind))
            server.bind(address)
            if kind == socket.SOCK_STREAM:
                server.listen()
            found[name] = server.getsockname()[1] if family == socket.AF_INET else address
        Path(short).chmod(0o777)
        Path(short, ".s.PGSQL.5432").chmod(0o777)
        yield found

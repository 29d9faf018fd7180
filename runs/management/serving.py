"""The whole product on one machine: stores, database, web, workers and beat under one supervisor."""

import errno
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

import psutil
import redis
import sesame.utils
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connections

from runs.access import ensure_first_user, ensure_project
from runs.management import embedded
from runs.management.supervisor import Program, ProgramError, Supervisor
from runs.models import Project

HOST = "127.0.0.1"
FIRST_USER, FIRST_PROJECT = "owner", "demo"
TEND_EVERY_S = 0.25

Say = Callable[[str], None]


class Stream(Protocol):
    """What Django's commands write to."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


class CannotServeError(RuntimeError):
    """Something outside stands in the way; the message says what was found, what was expected and what to do."""


@dataclass(frozen=True)
class Serving:
    """What is there once everything is up."""

    supervisor: Supervisor
    address: str
    owner: User
    project: Project


@contextmanager
def serving(say: Say) -> Iterator[Serving]:
    """Start everything, and stop everything however the block ends. Raises CannotServeError."""
    with _plain_errors(), _stop_signals_interrupt():
        port = _chosen_port()
        address = local_address()
        note = f"found Cascade already running from this folder (process {os.getpid()}) at {address}; open it, or stop it first"
        logs = settings.VAR_DIR / "log"
        with embedded.exclusively(settings.VAR_DIR, note), Supervisor(logs=logs, say=say) as supervisor:
            _check_port(port)
            say("Starting workers, the database and Redis ...")
            _start(supervisor, _workers())  # they import torch meanwhile, and wait for the database
            embedded.start_stores(supervisor, settings.VAR_DIR)
            owner, project = _prepare()
            say("Starting web and beat ...")
            _start(supervisor, [_beat(), _web(port)])
            supervisor.wait_until_ready("web")
            try:
                yield Serving(supervisor, address, owner, project)
            finally:
                connections.close_all()
                say("Stopping ...")


def keep_serving(supervisor: Supervisor) -> None:
    """Tend the programs until a signal comes."""
    while True:
        supervisor.tend()
        time.sleep(TEND_EVERY_S)


def local_address() -> str:
    """Where the product is, or would be, on this machine."""
    return f"http://{HOST}:{_chosen_port()}/"


def sign_in_link(address: str, user: User) -> str:
    """Make a link that signs this person in once."""
    return f"{address}sign-in/link/{sesame.utils.get_query_string(user)}"


def _prepare() -> tuple[User, Project]:
    """Bring database and static files up to date; make sure that somebody can sign in."""
    redis.Redis.from_url(settings.REDIS_URL).ping()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    settings.ARTIFACTS_DIR.mkdir(parents=True, exist_ok=True)
    settings.MODELS_DIR.mkdir(parents=True, exist_ok=True)
    owner = ensure_first_user(FIRST_USER)
    return owner, ensure_project(FIRST_PROJECT, owner)


# Programs -------------------------------------------------------------------------------------------------------


def _start(supervisor: Supervisor, programs: list[Program]) -> None:
    for program in programs:
        supervisor.start(program)


def _workers() -> list[Program]:
    # Two training queues, so that a checkpoint is scored while the next stage trains; a worker of its own for the rest,
    # so that a long stage never holds up a nudge.
    return [
        _worker("worker", queues="cpu,gpu", stop_within_s=60.0),
        _worker("worker-default", queues="default", stop_within_s=15.0),
    ]


def _beat() -> Program:
    return _celery("beat", ["beat", "--pidfile=", "--loglevel=WARNING"])


def _worker(name: str, *, queues: str, stop_within_s: float) -> Program:
    options = [
        "--pool=threads",
        "--concurrency=2",
        "--prefetch-multiplier=1",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
    ]
    return _celery(
        name, ["worker", f"--queues={queues}", f"--hostname={name}@%h", *options], stop_within_s=stop_within_s
    )


def _celery(name: str, arguments: list[str], *, stop_within_s: float = 10.0) -> Program:
    return Program(
        name=name,
        command=[sys.executable, "-m", "celery", "--skip-checks", "--app=cascade_web", *arguments],
        folder=settings.BASE_DIR,
        environment=_environment(),
        stop_within_s=stop_within_s,
    )


def _web(port: int) -> Program:
    # No access log: it would keep one-time sign-in links.
    options = ["--no-access-log", "--lifespan=off", "--timeout-graceful-shutdown=3"]
    return Program(
        name="web",
        command=[
            sys.executable,
            "-m",
            "uvicorn",
            "cascade_web.asgi:application",
            f"--host={HOST}",
            f"--port={port}",
            *options,
        ],
        folder=settings.BASE_DIR,
        environment=_environment(),
        is_ready=lambda: _web_answers(port),
    )


def _environment() -> dict[str, str]:
    # Two arenas: with glibc's default, each thread keeps its own and memory grows for no gain.
    return {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2", "CASCADE_VAR": str(settings.VAR_DIR)}


def _web_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5):
            return True
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except OSError:
        return False


# What may stand in the way --------------------------------------------------------------------------------------


def _chosen_port() -> int:
    wanted = os.environ.get("CASCADE_PORT") or "8000"
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted) < 65536:
        return int(wanted)
    raise CannotServeError(
        f"found CASCADE_PORT={wanted}, expected a port number from 1 to 65535; run: CASCADE_PORT=8001 make up"
    )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                found = f"port {port} in use{_listener(port)}"
            elif error.errno == errno.EACCES:
                found = f"port {port} closed to this user"
            else:
                raise
            remedy = f"stop what uses it, or run: CASCADE_PORT={_next(port)} make up"
            raise CannotServeError(f"found {found}, expected a free one; {remedy}") from None


def _next(port: int) -> int:
    return port + 1 if 1024 <= port < 65535 else 8001


def _listener(port: int) -> str:
    """Name the process that listens on a port, as far as this user may know."""
    with suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.laddr
                and connection.laddr.port == port
                and connection.status == psutil.CONN_LISTEN
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what a machine may lack into a sentence; anything else is our mistake and rises."""
    try:
        yield
    except ProgramError as error:
        is_full = os.strerror(errno.ENOSPC) in str(error)
        raise CannotServeError(f"{error}; free some space" if is_full else str(error)) from error
    except embedded.BusyError as error:
        raise CannotServeError(str(error)) from error
    except OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotServeError(
            f"could not reach PostgreSQL: {reason}; check DATABASE_URL, or unset it to use the embedded one"
        ) from error
    except redis.ConnectionError as error:
        raise CannotServeError(
            f"could not reach Redis: {error}; check REDIS_URL, or unset it to use the embedded one"
        ) from error
    except OSError as error:
        sentence = _storage_problem(error)
        if sentence is None:
            raise
        raise CannotServeError(sentence) from error


def _storage_problem(error: OSError) -> str | None:
    place = Path(error.filename) if error.filename else settings.VAR_DIR
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"found no space left at {place}; free some, then run the same command again"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"found {place} not writable; make it writable for this user, or copy the project to a folder that is"
    return None


# Signals and output ---------------------------------------------------------------------------------------------


@contextmanager
def _stop_signals_interrupt() -> Iterator[None]:
    """Let every polite signal end the block as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, interrupt)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def say_if_heard(stream: Stream) -> Say:
    """Write lines at once, and keep going where the terminal is gone: stopping matters more than telling."""

    def say(text: str) -> None:
        with suppress(OSError):
            stream.write(text + "\n")
            stream.flush()

    return say

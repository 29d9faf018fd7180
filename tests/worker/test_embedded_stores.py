"""The embedded PostgreSQL and Redis: they answer, only to us, and come back."""

import os
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dj_database_url
import psycopg2
import pytest
import redis

from runs.management import embedded
from runs.management.embedded import BusyError, exclusively, postgres_url, redis_url, stores


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


def ask_postgres(var: Path, question: str) -> Any:
    settings = dj_database_url.parse(postgres_url(var))
    connection = psycopg2.connect(
        dbname=settings["NAME"], user=settings["USER"], port=settings["PORT"], **settings["OPTIONS"]
    )
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(question)
        return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def ask_redis(var: Path) -> "redis.Redis[str]":
    return redis.Redis.from_url(redis_url(var), decode_responses=True)


def test_both_answer_and_keep_what_they_were_told(tmp_path: Path) -> None:
    with stores(tmp_path):
        assert ask_postgres(tmp_path, "show server_version").startswith("18.")
        ask_postgres(tmp_path, "create table kept as select 42 as answer")
        with ask_redis(tmp_path) as client:
            client.rpush("queue", "message")
    with stores(tmp_path):
        assert ask_postgres(tmp_path, "select answer from kept") == 42
        with ask_redis(tmp_path) as client:
            assert client.lpop("queue") == "message"


def test_nothing_listens_on_the_network(tmp_path: Path) -> None:
    with stores(tmp_path), ask_redis(tmp_path) as client:
        assert ask_postgres(tmp_path, "show listen_addresses") == ""
        assert client.config_get("port") == {"port": "0"}
        for folder in (tmp_path / "postgres", tmp_path / "redis"):
            assert folder.stat().st_mode & 0o077 == 0


def test_both_heal_after_kill_9(tmp_path: Path) -> None:
    with stores(tmp_path) as supervisor:
        before = supervisor.pids()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            supervisor.tend()
            try:
                with ask_redis(tmp_path) as client:
                    if ask_postgres(tmp_path, "select 1") == 1 and client.ping():
                        break
            except (psycopg2.OperationalError, redis.ConnectionError):
                time.sleep(0.05)
        assert set(supervisor.pids()) == {"postgres", "redis"}
        assert not set(supervisor.pids().values()) & set(before.values())


@pytest.mark.parametrize("name", ["/".join(["a-long-folder-name"] * 8), "Odd, 100% näme @x: y"])
def test_a_path_that_no_socket_can_have(tmp_path: Path, name: str) -> None:
    var = tmp_path / name
    with stores(var, is_scratch=True), ask_redis(var) as client:
        assert ask_postgres(var, "select 1") == 1
        assert client.ping()
        folder = Path(unquote(redis_url(var)).removeprefix("unix://")).parent
        assert not folder.is_relative_to(var)
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_what_is_configured_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/cascade")
    with stores(tmp_path) as supervisor:
        assert list(supervisor.pids()) == ["redis"]


def test_a_pid_file_left_by_a_crash_stops_nobody(tmp_path: Path) -> None:
    with stores(tmp_path, is_scratch=True):
        pass
    left = tmp_path / "postgres" / "postmaster.pid"
    left.write_text(f"{os.getpid()}\n{tmp_path / 'postgres'}\n0\n5432\n\n\n\n")  # the number now belongs to this test
    with stores(tmp_path, is_scratch=True):
        assert ask_postgres(tmp_path, "select 1") == 1


def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18\n")
    with stores(tmp_path, is_scratch=True):
        assert ask_postgres(tmp_path, "select 1") == 1


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(embedded.ProgramError, match="found a PostgreSQL 16 database"), stores(tmp_path):
        pass


def test_a_second_supervisor_reads_the_first_ones_note(tmp_path: Path) -> None:
    note = "found Cascade already running at http://here/"
    with exclusively(tmp_path, note), pytest.raises(BusyError, match=note), exclusively(tmp_path):
        pytest.fail("two supervisors held one folder")
    with exclusively(tmp_path):
        assert (tmp_path / "lock").read_text() == ""

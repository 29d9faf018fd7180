"""A worker takes no work before the database is migrated."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError

from workers import tasks

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_waits_for_every_migration(monkeypatch):
    app, name = max(key for key in MigrationRecorder(connection).applied_migrations() if key[0] == "runs")
    looks = []

    def migrate_at_the_second_look(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            MigrationRecorder(connection).record_applied(app, name)

    monkeypatch.setattr(tasks.time, "sleep", migrate_at_the_second_look)
    MigrationRecorder(connection).record_unapplied(app, name)
    tasks.wait_for_tables()
    assert len(looks) == 2


def test_a_worker_waits_for_a_database_that_is_not_there(monkeypatch):
    faults = [OperationalError("no server"), OperationalError("starting up")]
    executor = tasks.MigrationExecutor

    def connect(connection):
        if faults:
            raise faults.pop()
        return executor(connection)

    monkeypatch.setattr(tasks, "MigrationExecutor", connect)
    monkeypatch.setattr(tasks.time, "sleep", lambda seconds: None)
    tasks.wait_for_tables()
    assert not faults

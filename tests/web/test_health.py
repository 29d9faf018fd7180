"""What a load balancer asks."""

import pytest
from django.test import Client

from runs import lifecycle
from runs.models import Stage
from tests.web.some_runs import a_project, a_run, begin

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/health", "/health/"])
def test_it_answers_without_a_login(client: Client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "migrations": "ok", "redis": "ok", "worker": "idle"}


def test_a_missing_redis_is_told_and_nothing_of_its_address(client: Client, settings) -> None:
    settings.REDIS_URL = "redis://:secret@127.0.0.1:1/0"
    answer = client.get("/health/")
    assert answer.status_code == 503
    assert answer.json()["redis"] == "unavailable"
    assert b"secret" not in answer.content


def test_a_worker_at_work_is_heard(client: Client) -> None:
    begin(a_run(a_project()), "warm")
    assert client.get("/health/").json()["worker"] == "heard"


def test_work_that_nobody_takes_says_that_the_worker_is_silent(client: Client) -> None:
    run = a_run(a_project())
    assert client.get("/health/").json()["worker"] == "idle"
    waiting = Stage.objects.filter(run=run)
    waiting.update(queued_at=waiting.earliest("queued_at").queued_at - lifecycle.timedelta(minutes=5))
    answer = client.get("/health/")
    assert answer.json()["worker"] == "silent"
    assert answer.status_code == 200

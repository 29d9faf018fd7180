"""What is answered while PostgreSQL is away: plainly that, and nothing of where it is."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.test import Client

from runs.models import Run
from tests.web.some_runs import a_project, a_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Client:
    run: Run = a_run(a_project())
    client = Client(raise_request_exception=False)
    client.force_login(run.created_by)
    return client


@pytest.fixture
def away(ada: Client, monkeypatch) -> Iterator[None]:
    """Every question to the database fails as it does where no server listens."""

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError('connection to server at "db.internal", user "cascade" failed: Connection refused')

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", refuse)
        yield


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize(
    "address", ["/", "/sign-in/", "/projects/team/runs/1/", "/projects/team/runs/1/events/", "/nothing/"]
)
def test_pages_say_so(ada: Client, address: str) -> None:
    answer = ada.get(address)
    assert answer.status_code == 503, address
    assert "The database does not answer" in answer.content.decode()
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("client", ["session", "token"])
def test_the_api_says_so(ada: Client, client: str) -> None:
    headers = {"Authorization": "Bearer 0123456789abcdef"} if client == "token" else {}
    answer = (Client(raise_request_exception=False) if headers else ada).get("/api/v1/projects/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.usefixtures("away")
def test_nothing_is_told_about_the_server_or_the_code(ada: Client) -> None:
    for address in ("/", "/api/v1/projects/", "/health", "/sign-in/"):
        said = Client(raise_request_exception=False).get(address).content + ada.get(address).content
        assert b"internal" not in said
        assert b"Traceback" not in said


@pytest.mark.usefixtures("away")
def test_health_tells_a_load_balancer() -> None:
    answer = Client(raise_request_exception=False).get("/health")
    assert answer.status_code == 503
    assert answer.json() | {"redis": ""} == {
        "status": "unavailable",
        "database": "unavailable",
        "migrations": "unknown",
        "redis": "",
        "worker": "unknown",
    }


def test_another_fault_is_still_ours(ada: Client, monkeypatch) -> None:
    monkeypatch.setattr("runs.pages.home.projects_of", lambda user: 1 / 0)
    answer = ada.get("/")
    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()


def test_a_host_that_is_gone_does_not_hang_a_page(settings) -> None:
    assert settings.DATABASES["default"]["OPTIONS"]["connect_timeout"] <= 10

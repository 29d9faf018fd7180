"""The list of a project's runs."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs import lifecycle
from runs.models import Role, Run, Status
from runs.statuses import with_status
from tests.web.some_runs import a_member, a_project, a_run, begin, claim, finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    """The owner of the project 'team', signed in."""
    client.force_login(a_project().members.get())
    return client


def _project(client: Client):
    return Run._meta.get_field("project").related_model.objects.get(slug="team")


def test_a_line_says_what_a_reader_asks_first(ada: Client) -> None:
    run = a_run(_project(ada), name="otter")
    finish(run, "warm")
    begin(run, "if_rl", step=3)
    page = ada.get("/projects/team/runs/").content.decode()
    for words in (
        "otter",
        "#1",
        "2/3 · step 3/6 · sample",
        "running",
        "small v1",
        "ada",
        "2 if_rl: running",
        "3 mopd: queued",
    ):
        assert words in page


def test_the_newest_run_comes_first(ada: Client) -> None:
    a_run(_project(ada))
    a_run(_project(ada))
    page = ada.get("/projects/team/runs/").content.decode()
    assert page.index('id="run-2"') < page.index('id="run-1"')


def test_the_number_of_queries_does_not_grow_with_the_runs(ada: Client) -> None:
    def n_queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ada.get("/projects/team/runs/")
        return len(queries)

    a_run(_project(ada))
    few = n_queries()
    for _ in range(5):
        a_run(_project(ada))
    assert n_queries() == few


def test_fifty_runs_fill_a_page(ada: Client) -> None:
    project = _project(ada)
    for _ in range(52):
        a_run(project)
    first, second = (ada.get("/projects/team/runs/", {"page": page}).content.decode() for page in (1, 2))
    assert 'id="run-52"' in first
    assert 'id="run-3"' in first
    assert 'id="run-2"' not in first
    assert 'id="run-2"' in second
    assert "51–52 of 52" in second


def test_the_address_filters_by_status_and_by_text(ada: Client) -> None:
    begin(a_run(_project(ada), name="otter"), "warm")
    a_run(_project(ada), name="heron")
    for query, shown, hidden in (
        ({"status": "running"}, "otter", "heron"),
        ({"status": "queued"}, "heron", "otter"),
        ({"text": "HER"}, "heron", "otter"),
        ({"text": "#1"}, "otter", "heron"),
    ):
        page = ada.get("/projects/team/runs/", query).content.decode()
        assert shown in page, query
        assert hidden not in page, query
    assert "No run matches" in ada.get("/projects/team/runs/", {"status": "failed"}).content.decode()


def test_a_status_found_in_sql_is_the_runs_own_status() -> None:
    project = a_project()
    _queued, running, done, failed, paused, cancelled, between = (a_run(project) for _ in range(7))
    begin(running, "warm")
    finish(done, "warm", "if_rl", "mopd")
    lifecycle.fail(claim(failed.stages.get(name="warm")), code="error", reason="it broke")
    lifecycle.pause(paused)
    lifecycle.cancel(cancelled)
    finish(between, "warm")
    for status in Status:
        expected = {run.pk for run in Run.objects.all() if run.status == status}
        assert set(with_status(Run.objects.all(), status).values_list("pk", flat=True)) == expected, status
    assert {run.status for run in Run.objects.all()} >= {Status.QUEUED, Status.RUNNING, Status.SUCCEEDED, Status.FAILED}


def test_a_silent_workers_run_is_found_as_stale(settings) -> None:
    settings.LEASE_SECONDS = -1
    run = a_run(a_project())
    begin(run, "warm")
    assert run.status == Status.STALE
    assert list(with_status(Run.objects.all(), Status.STALE)) == [run]
    assert not with_status(Run.objects.all(), Status.RUNNING).exists()


def test_an_empty_list_gives_the_first_step(ada: Client) -> None:
    page = ada.get("/projects/team/runs/").content.decode()
    assert "No runs yet" in page
    assert f'href="{reverse("runs:new", args=("team",))}"' in page


def test_a_viewer_is_not_offered_to_launch(client: Client) -> None:
    client.force_login(a_member(a_project(), "vic", Role.VIEWER))
    assert (
        reverse("runs:new", args=("team",)) not in client.get("/projects/team/runs/").content.decode().split("<main")[1]
    )


def test_live_updates_ask_for_the_rows_alone(ada: Client) -> None:
    a_run(_project(ada), name="otter")
    part = ada.get("/projects/team/runs/", {"part": "rows"}).content.decode()
    assert "otter" in part
    assert "<html" not in part


def test_strangers_see_nothing(client: Client) -> None:
    a_project()
    assert client.get("/projects/team/runs/").headers["Location"].startswith("/sign-in/")
    client.force_login(a_member(a_project("Other", owner="eve"), "mallory", Role.OWNER))
    assert client.get("/projects/team/runs/").status_code == 404

"""Holding a run on its page and over the API."""

import html

import pytest
from django.test import Client

from runs.models import Role, Run
from tests.web.some_clients import a_client, client_of
from tests.web.some_runs import finish

pytestmark = pytest.mark.django_db
PAGE = "/projects/team/runs/1/"


def _page(client: Client) -> str:
    return html.unescape(client.get(PAGE).content.decode())


def test_a_run_is_held_and_released_on_its_page(run: Run, ada: Client) -> None:
    assert "Hold…" in _page(ada)
    ada.post(f"{PAGE}hold/", {"reason": "look at <code>"})
    page = _page(ada)
    assert "Held by ada" in page
    assert "look at <code>" in page
    assert "awaiting review" in page
    assert "Held before stage 1 of 3, warm" in page
    assert "Hold…" not in page
    assert 'id="run-1"' in ada.get("/projects/team/runs/?status=awaiting_review").content.decode()
    ada.post(f"{PAGE}release/")
    assert "Held by" not in _page(ada)
    assert "look at &lt;code&gt;" in ada.get("/projects/team/audit/").content.decode()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_a_hold_needs_a_reason(reason: str, run: Run, ada: Client) -> None:
    assert "The run is not held. Reason:" in ada.post(f"{PAGE}hold/", {"reason": reason}, follow=True).content.decode()
    assert Run.objects.get().held_at is None


def test_a_reviewer_holds_and_a_viewer_does_not(run: Run) -> None:
    viewer, reviewer = a_client(run.project, Role.VIEWER), a_client(run.project, Role.REVIEWER)
    assert "Hold…" not in _page(viewer)
    assert "Hold…" in _page(reviewer)


def test_the_api_holds_and_releases(run: Run) -> None:
    owner, reviewer = client_of(run.created_by), a_client(run.project, Role.REVIEWER)
    address = f"/api/v1/runs/{run.public_id}/"
    held = owner.post(f"{address}hold/", {"reason": "wait"}).json()
    assert (held["held_by"], held["hold_reason"], held["status"]) == ("ada", "wait", "awaiting_review")
    assert owner.post(f"{address}hold/", {"reason": "wait"}).json()["code"] == "already_held"
    assert reviewer.post(f"{address}release/").json()["code"] == "role_too_low"
    released = owner.post(f"{address}release/").json()
    assert (released["held_by"], released["held_at"]) == (None, None)
    assert owner.post(f"{address}release/").json()["code"] == "not_held"
    finish(run, "warm", "if_rl", "mopd")
    assert owner.post(f"{address}hold/", {"reason": "late"}).json()["code"] == "nothing_to_hold"

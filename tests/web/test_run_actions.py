"""Pause, resume, cancel and retry, by people who may."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from runs import lifecycle
from runs.models import Role, Run, Status
from tests.web.some_runs import a_member, a_project, begin

pytestmark = pytest.mark.django_db
RUN = "/projects/team/runs/1/"


def _status(run: Run) -> Status:
    return Run.objects.get(pk=run.pk).status


def _told(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_a_run_is_paused_resumed_cancelled_and_retried(run: Run, ada: Client) -> None:
    begin(run, "warm")
    for action, then in (
        ("pause", Status.PAUSED),
        ("resume", Status.QUEUED),
        ("cancel", Status.CANCELLED),
        ("retry", Status.QUEUED),
    ):
        answer = ada.post(f"{RUN}{action}/")
        assert answer.headers["Location"] == RUN, action
        assert _status(run) == then, action


def test_only_what_is_possible_is_offered(run: Run, ada: Client) -> None:
    def offered() -> set[str]:
        page = ada.get(RUN).content.decode()
        return {action for action in ("pause", "resume", "cancel", "retry") if f'action="{RUN}{action}/"' in page}

    assert offered() == {"pause", "cancel"}
    lifecycle.pause(run)
    assert offered() == {"resume", "cancel"}
    lifecycle.cancel(run)
    assert offered() == {"retry"}


def test_what_is_not_possible_any_more_is_told(run: Run, ada: Client) -> None:
    answer = ada.post(f"{RUN}resume/")
    assert answer.status_code == 302
    assert _told(answer) == [
        "Cannot resume small #1: nothing of it is paused; reload the page to see what is possible."
    ]
    assert _status(run) == Status.QUEUED


def test_a_failed_stage_is_retried_alone(run: Run, ada: Client) -> None:
    lifecycle.fail(begin(run, "warm"), code="error", reason="it broke")
    answer = ada.post(f"{RUN}stages/warm/retry/")
    assert answer.headers["Location"] == f"{RUN}stages/warm/"
    assert run.stages.get(name="warm").status == Status.QUEUED
    again = ada.post(f"{RUN}stages/warm/retry/")
    assert _told(again)[-1] == "Stage 'warm' is queued, only a failed or cancelled one can be retried."


def test_a_viewer_is_told_why_not(run: Run, client: Client) -> None:
    client.force_login(a_member(run.project, "vic", Role.VIEWER))
    page = client.get(RUN).content.decode()
    assert "Your role is viewer: a runner may pause or cancel this run." in page
    assert f'action="{RUN}' not in page
    for address in (f"{RUN}cancel/", f"{RUN}stages/warm/retry/"):
        answer = client.post(address)
        assert answer.status_code == 403
        assert "Your role in Team is viewer, this needs runner" in answer.content.decode()
    assert _status(run) == Status.QUEUED


def test_strangers_find_nothing_to_act_on(run: Run, client: Client) -> None:
    assert client.post(f"{RUN}cancel/").headers["Location"].startswith("/sign-in/")
    client.force_login(a_member(a_project("Other", owner="eve"), "mallory", Role.OWNER))
    assert client.post(f"{RUN}cancel/").status_code == 404
    assert _status(run) == Status.QUEUED


def test_an_action_needs_a_form_of_ours(run: Run) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(run.created_by)
    assert careful.post(f"{RUN}cancel/").status_code == 403
    assert careful.get(f"{RUN}cancel/").status_code == 405
    assert _status(run) == Status.QUEUED


def test_unknown_actions_and_runs_are_not_found(ada: Client) -> None:
    assert ada.post(f"{RUN}explode/").status_code == 404
    assert ada.post("/projects/team/runs/7/cancel/").status_code == 404

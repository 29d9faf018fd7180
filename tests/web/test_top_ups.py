"""Topping up from the page and over the API: who may, what is refused, and that a second click does nothing."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from runs import lifecycle
from runs.models import AuditEntry, Role, Run, Score, Status, TopUp
from tests.web.some_clients import a_client, client_of
from tests.web.some_runs import a_member, a_project

pytestmark = pytest.mark.django_db
PAIR = {"domain": "instructions", "before": "warm", "after": "if_rl"}
CELL = "/projects/team/runs/1/drift/?cell=if_rl:instructions&before=warm"
ASKED = {"row": "if_rl", "column": "instructions", "reference": "warm"}


def click(client: Client, **changes: object) -> Any:
    return client.post("/projects/team/runs/1/drift/top-up/", {**PAIR, "samples": 4, **changes})


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_an_undecided_cell_offers_a_top_up_and_a_click_queues_it(finished: Run, ada: Client) -> None:
    page = ada.get(CELL).content.decode()
    assert "Top up to 4 answers each" in page
    assert "cannot tell luck from difficulty; 4 would" in page
    assert "data-live-url" not in page  # the run is over, and nothing is under way
    answer = click(ada)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{CELL}#cell")
    assert set(finished.top_ups.values_list("status", "samples", "asked_by__username")) == {("queued", 4, "ada")}
    page = ada.get(CELL).content.decode()
    assert "Top-up of if_rl to" in page
    assert "asked for by ada: waits for a free worker" in page
    assert "Top up to" not in page
    assert "data-live-url" in page
    assert finished.status == Status.SUCCEEDED  # a top-up is no work of the run


def test_who_asked_is_in_the_audit_log(finished: Run, ada: Client) -> None:
    click(ada)
    entry = AuditEntry.objects.get(action="score.topped_up")
    assert (entry.actor.username, entry.before, entry.after) == (
        "ada",
        {"warm": 1, "if_rl": 1},
        {"warm": 4, "if_rl": 4},
    )
    assert entry.url.endswith("?cell=if_rl:instructions&before=warm#cell")


def test_a_second_click_queues_and_records_nothing(finished: Run, ada: Client) -> None:
    click(ada)
    assert "being topped up already" in told(click(ada))
    assert (TopUp.objects.count(), AuditEntry.objects.filter(action="score.topped_up").count()) == (2, 1)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
def test_who_only_reads_sees_no_button_and_may_not_ask(finished: Run, client: Client, role: Role) -> None:
    client.force_login(a_member(finished.project, "vic", role))
    page = client.get(CELL).content.decode()
    assert "A runner of the project may top it up to 4 answers each" in page
    assert "<button" not in page.split("A runner of the project")[0].rpartition("<dt>Top-up")[2]
    assert click(client).status_code == 403
    answer = a_client(finished.project, role).post(f"/api/v1/runs/{finished.public_id}/top-ups/", ASKED)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_too_low")
    assert not TopUp.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"samples": 64}, "it takes 4 answers to each problem, not 64"),
        ({"samples": "٤" * 12}, "not 0"),
        ({"samples": ""}, "not 0"),
        ({"before": "if_rl"}, "a checkpoint does not differ from itself"),
        ({"domain": "stem"}, "change is more than noise"),
        ({"before": "base"}, "no difference was seen"),
        ({"before": "base", "after": "warm"}, "it would take 91 of them or more, and a top-up stops at 64"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    finished: Run, ada: Client, changes: dict[str, Any], words: str
) -> None:
    assert words in told(click(ada, **changes))
    assert not TopUp.objects.exists()


@pytest.mark.parametrize("changes", [{"after": "nowhere"}, {"before": "\0"}, {"domain": "coding"}, {"domain": ""}])
def test_a_cell_that_is_none_is_not_found(finished: Run, ada: Client, changes: dict[str, str]) -> None:
    assert click(ada, **changes).status_code == 404


def test_more_answers_than_both_have_make_scores_no_less_comparable(finished: Run, ada: Client) -> None:
    Score.objects.filter(checkpoint__stage__name="if_rl").update(samples=8)
    page = ada.get(CELL).content.decode()
    assert "scored under another protocol" not in page
    assert "8 answers to each" in page


def test_a_failed_top_up_says_why_at_the_cell_and_offers_another(finished: Run, ada: Client) -> None:
    click(ada)
    TopUp.objects.all().update(status="failed", failure_code="error", failure_reason="the <b>disk</b> is full")
    page = ada.get(CELL).content.decode()
    assert "failed: the &lt;b&gt;disk&lt;/b&gt; is full. Read the end of its log" in page
    assert "Top up to 4 answers each" in page
    click(ada)
    assert set(TopUp.objects.values_list("status", "failure_reason")) == {("queued", "")}


def test_the_part_that_renews_itself_shows_how_far_it_is(finished: Run, ada: Client) -> None:
    click(ada)
    TopUp.objects.filter(checkpoint__stage__name="if_rl").update(step=2, n_steps=3)
    part = ada.get(f"{CELL}&part=top-up").content.decode()
    assert '<progress max="3" value="2"' in part
    assert "hx-get" in part
    assert "<html" not in part
    TopUp.objects.all().update(status="succeeded")
    assert "hx-get" not in ada.get(f"{CELL}&part=top-up").content.decode()


def test_over_the_api(finished: Run) -> None:
    runner = a_client(finished.project, Role.RUNNER)
    url = f"/api/v1/runs/{finished.public_id}/top-ups/"
    answer = runner.post(url, ASKED)
    assert answer.status_code == 202, answer.content
    assert [(row["samples"], row["status"], row["asked_by"]) for row in answer.json()["results"]] == [
        (4, "queued", "a-runner"),
        (4, "queued", "a-runner"),
    ]
    assert runner.get(url).json() == answer.json()
    again = runner.post(url, ASKED)
    assert (again.status_code, again.json()["code"]) == (409, "already_queued")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"row": "nowhere"}, 422, "does_not_exist"),
        ({"reference": ""}, 422, "blank"),
        ({"column": "coding"}, 422, "does_not_exist"),
        ({"column": ["stem"]}, 422, "invalid"),
        ({"samples": "many"}, 422, "invalid"),
        ({"extra": 1}, 422, "extra_forbidden"),
        ({"samples": 9}, 409, "scores_changed"),
        ({"column": "stem"}, 409, "is_decided"),
        ({"reference": "if_rl"}, 409, "no_change"),
        ({"reference": "base"}, 409, "not_decidable"),
    ],
)
def test_what_the_api_refuses(finished: Run, changes: dict[str, Any], status: int, code: str) -> None:
    client = client_of(finished.created_by)
    answer = client.post(f"/api/v1/runs/{finished.public_id}/top-ups/", {**ASKED, **changes})
    problem = answer.json()
    assert (answer.status_code, problem.get("errors", [problem])[0]["code"]) == (status, code)
    assert not TopUp.objects.exists()


def test_to_a_stranger_there_is_nothing(finished: Run) -> None:
    eve = client_of(a_project("Elsewhere", owner="eve").members.get())
    url = f"/api/v1/runs/{finished.public_id}/top-ups/"
    assert (eve.get(url).status_code, eve.post(url, ASKED).status_code) == (404, 404)


def cancel(client: Client, **changes: object) -> Any:
    return client.post("/projects/team/runs/1/drift/top-up/cancel/", {**PAIR, **changes})


def test_a_top_up_that_is_under_way_can_be_cancelled_and_asked_for_again(finished: Run, ada: Client) -> None:
    click(ada)
    assert "Cancel the top-up" in ada.get(CELL).content.decode()
    answer = cancel(ada)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{CELL}#cell")
    assert set(finished.top_ups.values_list("status", flat=True)) == {"cancelled"}
    page = ada.get(CELL).content.decode()
    assert "cancelled; another top-up goes on from what was sampled" in page
    assert "Cancel the top-up" not in page
    entry = AuditEntry.objects.get(action="score.top_up_cancelled")
    assert (entry.actor.username, entry.before) == ("ada", {"warm": 4, "if_rl": 4})
    assert "Nothing of this change is being topped up" in told(cancel(ada))
    click(ada)
    assert set(finished.top_ups.values_list("status", flat=True)) == {"queued"}


def test_a_worker_lets_go_of_a_top_up_that_was_cancelled(finished: Run, ada: Client) -> None:
    click(ada)
    claim = lifecycle.claim_top_up(finished.top_ups.first().pk, worker="host:1")
    assert lifecycle.beat(claim, substep="sample")
    cancel(ada)
    assert not lifecycle.beat(claim, substep="sample")
    assert not lifecycle.finish_scoring(claim)


def test_cancelling_needs_a_runner_and_a_cell_that_is_there(finished: Run, ada: Client) -> None:
    click(ada)
    reader = Client()
    reader.force_login(a_member(finished.project, "vera", Role.REVIEWER))
    assert cancel(reader).status_code == 403
    assert "Cancel the top-up" not in reader.get(CELL).content.decode()
    assert cancel(ada, domain="nothing").status_code == 404
    assert "Nothing of this change" in told(cancel(ada, before="nowhere", after="nowhere"))
    assert set(finished.top_ups.values_list("status", flat=True)) == {"queued"}


def test_cancelling_over_the_api(finished: Run) -> None:
    client = client_of(finished.created_by)
    address = f"/api/v1/runs/{finished.public_id}/top-ups/"
    assert client.post(address, ASKED, format="json").status_code == 202
    answer = client.post(f"{address}cancel/", ASKED, format="json")
    assert (answer.status_code, [found["status"] for found in answer.json()["results"]]) == (200, ["cancelled"] * 2)
    again = client.post(f"{address}cancel/", ASKED, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "not_under_way")

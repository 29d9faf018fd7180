"""Runs of a project side by side."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runs.models import Benchmark, Role, Run, Score
from tests.web.some_runs import a_member, a_project, a_recipe, a_run, finish

pytestmark = pytest.mark.django_db
COMPARE = "/projects/team/runs/compare/"


@pytest.fixture
def runs(run: Run) -> list[Run]:
    """The first run, finished, and one with another seed that is two stages far."""
    finish(run, "warm", "if_rl", "mopd")
    other = a_run(run.project, spec=a_recipe(seed=7), name="other")
    finish(other, "warm", "if_rl")
    return [run, other]


def _page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_list_lets_runs_be_ticked_and_compared(runs: list[Run], ada: Client) -> None:
    page = _page(ada, "/projects/team/runs/")
    assert page.count('form="compare-form"') == 2
    assert f'action="{COMPARE}"' in page


def test_last_checkpoints_stages_and_settings_are_compared(runs: list[Run], ada: Client) -> None:
    page = _page(ada, f"{COMPARE}?run=1&run=2")
    assert "within noise" in page
    assert "against small #1" in page
    assert "only one of the two runs has this stage" not in page  # mopd is there, and not scored
    assert "not scored" in page
    seed = page.split(">seed</th>")[1].split("</tr>")[0]
    assert ">0</span>" in seed
    assert ">7</span>" in seed
    assert ">learning_rate</th>" not in page


def test_the_address_pins_the_baseline(runs: list[Run], ada: Client) -> None:
    page = _page(ada, f"{COMPARE}?run=1&run=2&baseline=2")
    assert "against other #2" in page
    assert "small #1 − other #2" in page.replace("&#x27;", "'")


def test_other_problems_are_not_compared_and_the_page_says_why(runs: list[Run], ada: Client) -> None:
    for score in Score.objects.filter(checkpoint__run=runs[1], benchmark__domain="stem"):
        old = score.benchmark
        new, _ = Benchmark.objects.get_or_create(
            digest=old.digest[::-1],
            defaults={"domain": "stem", "split": old.split, "version": 2, "protocol": old.protocol},
        )
        Score.objects.filter(pk=score.pk).update(benchmark=new)
    page = _page(ada, f"{COMPARE}?run=1&run=2")
    assert "some scores are not compared: scored on version 1, then on version 2" in page


def test_a_stage_of_one_run_alone_says_so(runs: list[Run], ada: Client) -> None:
    shorter = a_recipe().model_dump(mode="json")
    a_run(runs[0].project, spec=a_recipe(stages=shorter["stages"][:2]), name="short")
    page = _page(ada, f"{COMPARE}?run=1&run=3")
    assert "only one of the two runs has this stage" in page
    assert "stage mopd" in page
    assert "not there" in page


@pytest.mark.parametrize("query", ["", "?run=1", "?run=1&run=1", "?run=x&run=-1", "?run=1&run=99"])
def test_fewer_than_two_runs_say_what_to_do(query: str, runs: list[Run], ada: Client) -> None:
    page = _page(ada, COMPARE + query)
    assert "Choose at least two runs" in page
    assert ("Found no run #99" in page) == ("99" in query)


def test_unscored_runs_can_be_compared(run: Run, ada: Client) -> None:
    a_run(run.project)
    page = _page(ada, f"{COMPARE}?run=1&run=2")
    assert "no score to compare" in page
    assert "All runs were set up alike" in page


def test_the_curves_are_plotly_json(runs: list[Run], ada: Client) -> None:
    answer = ada.get(f"{COMPARE}curves/?run=1&run=2&columns=2&theme=dark")
    panels = answer.json()["panels"]
    assert len(panels) == 1 + 2  # the mean, and a panel per domain
    assert all({trace["name"] for trace in panel["data"]} == {"small #1", "other #2"} for panel in panels)
    again = ada.get(f"{COMPARE}curves/?run=1&run=2&columns=2&theme=dark", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_at_most_twenty_runs_in_two_queries_each(run: Run, ada: Client) -> None:
    for _ in range(21):
        a_run(run.project)
    query = "&".join(f"run={number}" for number in range(1, 23))
    with CaptureQueriesContext(connection) as asked:
        page = _page(ada, f"{COMPARE}?{query}")
    assert "2 more were chosen" in page
    assert len(asked) <= 20 + 12


def test_a_run_of_another_project_stays_unseen(runs: list[Run], client: Client) -> None:
    others = a_project("Others", owner="eve")
    a_run(others, name="foreign")
    client.force_login(a_member(runs[0].project, "vic", Role.VIEWER))
    assert "foreign" not in _page(client, f"{COMPARE}?run=1&run=2")
    client.force_login(others.members.get())
    assert client.get(COMPARE).status_code == 404
    page = _page(client, "/projects/others/runs/compare/?run=1&run=2")
    assert "other #2" not in page

"""Runs side by side over the API: the numbers of the page, and a plain word for what cannot be asked."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from runs.models import Role, Run, Score
from tests.web.some_clients import client_of
from tests.web.some_runs import a_member, a_project, a_recipe, a_run, finish

pytestmark = pytest.mark.django_db
COMPARE = "/api/v1/compare/"


@pytest.fixture
def runs(run: Run) -> list[Run]:
    """The first run, finished, and one with another seed, fewer stages and none scored after the first."""
    finish(run, "warm", "if_rl", "mopd")
    document = a_recipe(seed=7).model_dump(mode="json")
    other = a_run(run.project, spec=a_recipe(seed=7, stages=document["stages"][:2]), name="other")
    finish(other, "warm")
    return [run, other]


@pytest.fixture
def client(run: Run) -> APIClient:
    return client_of(run.created_by)


def _query(*runs: Run, **more: str) -> str:
    return COMPARE + "?" + "&".join([*(f"run={run.public_id}" for run in runs), *(f"{k}={v}" for k, v in more.items())])


def test_rows_changes_and_settings_are_aligned(runs: list[Run], client: APIClient) -> None:
    found = client.get(_query(*runs)).json()
    first, second = (run.public_id for run in runs)
    assert found["baseline"] == first
    assert [(row["key"], row["runs"]) for row in found["rows"]] == [
        ("base", [first, second]), ("warm", [first, second]), ("if_rl", [first, second]), ("mopd", [first]),
    ]  # fmt: skip
    assert [column["domain"] for column in found["columns"]] == ["instructions", "stem"]
    settings = {(line["where"], line["setting"]): line["values"] for line in found["settings"]}
    assert settings["recipe", "seed"] == {first: 0, second: 7}
    assert settings["stage mopd", ""] == {first: "MOPD, 6 steps"}
    baseline, other = found["runs"]
    assert (baseline["is_baseline"], baseline["changes"], baseline["last_changes"]) == (True, [], [])
    assert (baseline["last_row"], other["last_row"]) == ("mopd", "warm")
    changes = {(change["row"], change["column"]): change for change in other["changes"]}
    change = changes["warm", "stem"]
    means = [
        Score.objects.get(
            checkpoint__run=run, checkpoint__stage__name="warm", benchmark__domain="stem", benchmark__split="test"
        ).mean
        for run in runs
    ]
    assert change["difference"] == pytest.approx(means[1] - means[0])
    assert change["interval"][0] <= change["difference"] <= change["interval"][1]
    assert change["p_value"] <= change["adjusted_p"] <= 1
    assert change["test"] == "McNemar exact"
    assert changes["if_rl", "stem"]["reason"] == "not scored"
    assert {(change["row"], change["reference"]) for change in other["last_changes"]} == {("warm", "mopd")}


def test_any_of_them_is_the_baseline(runs: list[Run], client: APIClient) -> None:
    found = client.get(_query(*runs, baseline=runs[1].public_id)).json()
    assert found["baseline"] == runs[1].public_id
    assert [run["is_baseline"] for run in found["runs"]] == [False, True]
    there = client.get(_query(*runs)).json()["runs"][1]["changes"]
    back = found["runs"][0]["changes"]
    assert [change["difference"] for change in back if change["row"] == "warm"] == [
        pytest.approx(-change["difference"]) for change in there if change["row"] == "warm"
    ]


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("", "run", "n_runs"),
        ("?run=run_0000000000000000", "run", "n_runs"),
        ("?run=run_0000000000000000&run=run_0000000000000000", "run", "n_runs"),
        ("?" + "&".join(f"run=run_{n:016}" for n in range(21)), "run", "n_runs"),
        ("?run=" + "x" * 30 + "&run=y", "run[0]", "max_length"),
        ("?run=run_0000000000000000&run=run_0000000000000001&baseline=run_2", "baseline", "not_compared"),
    ],
)
def test_what_cannot_be_compared_is_a_problem(query: str, field: str, code: str, client: APIClient) -> None:
    answer = client.get(COMPARE + query)
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    [error] = answer.json()["errors"]
    assert (error["field"], error["code"]) == (field, code)


def test_a_run_of_others_is_none_and_is_named(runs: list[Run], client: APIClient) -> None:
    foreign = a_run(a_project("Others", owner="eve"))
    answer = client.get(_query(runs[0], foreign))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert foreign.public_id in answer.json()["detail"]
    vic = a_member(foreign.project, "vic", Role.VIEWER)
    a_member_of_both = a_member(runs[0].project, "vic", Role.VIEWER)
    assert vic == a_member_of_both
    assert client_of(vic).get(_query(runs[0], foreign)).status_code == 200


def test_two_queries_a_run(run: Run, client: APIClient) -> None:
    runs = [run, *(a_run(run.project) for _ in range(3))]
    with CaptureQueriesContext(connection) as two:
        client.get(_query(*runs[:2]))
    with CaptureQueriesContext(connection) as four:
        assert client.get(_query(*runs)).status_code == 200
    assert len(four) - len(two) <= 2 * 2

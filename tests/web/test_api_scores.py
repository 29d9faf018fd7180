"""Metrics, checkpoints, scores and drift over the API: the numbers that the rows and the statistics have."""

import pytest
from rest_framework.test import APIClient

from runs.drift import SINCE, Since
from runs.models import ItemResult, Metric, Role, Run, Score
from runs.report import drift_report
from tests.web.some_clients import a_client
from tests.web.some_runs import a_project, a_run, finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    run = a_run(a_project())
    finish(run, "warm", "if_rl", "mopd")
    return run


@pytest.fixture
def client(run: Run) -> APIClient:
    return a_client(run.project, Role.VIEWER)


def test_a_series_holds_every_step(client: APIClient, run: Run) -> None:
    stage = run.stages.get(name="if_rl")
    url = f"/api/v1/stages/{stage.public_id}/metrics/"
    assert {"loss", "reward", "reward/instructions"} <= set(client.get(url).json()["names"])
    found = client.get(f"{url}reward/instructions/").json()
    values = (
        Metric.objects.filter(stage=stage, name="reward/instructions").order_by("step").values_list("value", flat=True)
    )
    assert found == {"name": "reward/instructions", "n_steps": 6, "steps": [1, 2, 3, 4, 5, 6], "values": list(values)}


def test_a_long_series_is_thinned_out_to_what_was_asked(client: APIClient, run: Run) -> None:
    stage = run.stages.get(name="warm")
    Metric.objects.bulk_create(Metric(stage=stage, step=step, name="long", value=step % 100) for step in range(5000))
    url = f"/api/v1/stages/{stage.public_id}/metrics/long/?points=50"
    found = client.get(url).json()
    assert found["n_steps"] == 5000
    assert len(found["steps"]) == len(found["values"]) <= 50
    assert (found["steps"][0], found["steps"][-1]) == (0, 4999)
    assert {min(found["values"]), max(found["values"])} == {0, 99}
    assert client.get(url).json() == found


def test_a_metric_that_is_none(client: APIClient, run: Run) -> None:
    stage = run.stages.get(name="warm")
    assert client.get(f"/api/v1/stages/{stage.public_id}/metrics/reward/").status_code == 404


def test_checkpoints_come_in_the_order_of_their_stages(client: APIClient, run: Run) -> None:
    found = client.get(f"/api/v1/runs/{run.public_id}/checkpoints/").json()["results"]
    assert [item["stage"] and item["stage"]["name"] for item in found] == [None, "warm", "if_rl", "mopd"]
    assert {item["status"] for item in found} == {"succeeded"}
    assert [item["at_step"] for item in found] == [0, 6, 6, 6]
    assert client.get(f"/api/v1/checkpoints/{found[1]['id']}/").json() == found[1]


def test_scores_are_of_one_split_with_their_noise(client: APIClient, run: Run) -> None:
    checkpoint = run.checkpoints.get(stage__name="warm")
    for split, n_items in (("test", 16), ("validation", 8)):
        found = client.get(f"/api/v1/checkpoints/{checkpoint.public_id}/scores/?split={split}").json()["results"]
        assert [score["benchmark"]["domain"] for score in found] == ["instructions", "stem"]
        for score in found:
            row = Score.objects.get(checkpoint=checkpoint, benchmark__digest=score["benchmark"]["digest"])
            assert (score["mean"], score["n_items"], score["benchmark"]["split"]) == (row.mean, n_items, split)
            assert score["interval"][0] < score["mean"] < score["interval"][1]


def test_the_items_of_a_score_come_in_pages(client: APIClient, run: Run) -> None:
    checkpoint = run.checkpoints.get(stage__name="warm")
    score = checkpoint.scores.get(benchmark__domain="stem", benchmark__split="test")
    url = f"/api/v1/checkpoints/{checkpoint.public_id}/scores/{score.benchmark.digest}/items/?limit=10"
    first = client.get(url).json()
    second = client.get(f"{url}&cursor={first['next_cursor']}").json()
    items = first["results"] + second["results"]
    assert [len(first["results"]), len(second["results"]), second["next_cursor"]] == [10, 6, None]
    rows = ItemResult.objects.filter(score=score).order_by("item")
    assert [(item["item"], item["value"], item["prompt"]) for item in items] == list(
        rows.values_list("item", "value", "prompt")
    )


def test_a_score_of_another_checkpoint_is_none_of_this_one(client: APIClient, run: Run) -> None:
    checkpoint = run.checkpoints.get(stage__name="warm")
    url = f"/api/v1/checkpoints/{checkpoint.public_id}/scores/{'0' * 64}/items/"
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("since", SINCE)
def test_drift_is_what_the_statistics_say(client: APIClient, run: Run, since: Since) -> None:
    found, report = client.get(f"/api/v1/runs/{run.public_id}/drift/?reference={since}").json(), drift_report(run)
    assert (found["run"], found["reference"], found["verdict"]) == (run.public_id, since, report.verdict)
    assert [row["key"] for row in found["rows"]] == ["base", "warm", "if_rl", "mopd"]
    assert [row["starts_from"] for row in found["rows"]] == [None, "base", "warm", "if_rl"]
    for score in found["scores"]:
        cell = report.matrix.cells[score["row"], score["column"]]
        assert (score["mean"], score["interval"], score["n_items"]) == (cell.mean, list(cell.interval or ()), 16)
    assert [(change["row"], change["column"]) for change in found["changes"]] == [
        (row, column) for row in ("base", "warm", "if_rl", "mopd") for column in ("instructions", "stem")
    ]
    for shown in found["changes"]:
        change = report.changes[since][shown["row"], shown["column"]]
        assert (shown["difference"], shown["adjusted_p"]) == (change.difference, change.adjusted_p)
        assert (shown["is_significant"], shown["reference"]) == (change.is_significant, change.reference)
        assert (shown["difference"] is None) == bool(shown["reason"])


def test_drift_has_the_measures_of_the_whole_run(client: APIClient, run: Run) -> None:
    found, report = client.get(f"/api/v1/runs/{run.public_id}/drift/").json(), drift_report(run)
    for name, measure in found["measures"].items():
        expected = getattr(report.summary, name)
        assert (measure["value"], measure["parts"], measure["reason"]) == (
            expected.value,
            expected.parts,
            expected.reason,
        )
    assert found["measures"]["backward_transfer"]["value"] is not None
    assert found["worst_drop"]["difference"] == report.summary.worst_drop.difference
    [recovery], [expected] = found["recoveries"], report.recoveries
    assert (recovery["row"], recovery["before"], recovery["fraction"]) == ("mopd", "if_rl", expected.fraction)
    assert [domain["teacher"] for domain in recovery["domains"]] == [domain.teacher_row for domain in expected.domains]


def test_drift_of_a_run_that_has_not_begun(client: APIClient, run: Run) -> None:
    fresh = a_run(run.project)
    found = client.get(f"/api/v1/runs/{fresh.public_id}/drift/").json()
    assert (found["scores"], found["recoveries"]) == ([], [])
    assert found["measures"]["average"] == {
        "value": None,
        "interval": None,
        "parts": {},
        "reason": "nothing is scored yet",
    }


def test_a_reference_that_is_none(client: APIClient, run: Run) -> None:
    response = client.get(f"/api/v1/runs/{run.public_id}/drift/?reference=yesterday")
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "/reference")

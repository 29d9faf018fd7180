"""The strip of measures: each number beside that of a baseline run, or the reason why there is none."""

import pytest
from django.test import Client

from runs.models import ItemResult, Role, Run
from runs.report import drift_report
from tests.web.some_runs import DOMAINS, a_member, a_project, a_recipe, a_run, finish

pytestmark = pytest.mark.django_db
DRIFT = "/projects/team/runs/1/drift/"


def _strip(client: Client, query: str = "") -> str:
    answer = client.get(DRIFT + query)
    assert answer.status_code == 200
    return answer.content.decode().split('id="measures"')[1].split("</section>")[0]


def test_each_measure_is_there_with_its_number(finished: Run, ada: Client) -> None:
    strip, summary = _strip(ada), drift_report(finished).summary
    for title in ("BWT", "Average forgetting", "Retention", "Worst retention", "Significant losses", "Plasticity"):
        assert title in strip
    assert summary.plasticity.value is not None
    assert f"{100 * summary.plasticity.value:+.1f}".replace("-", "−") in strip
    assert "no other run" not in strip  # there is none to choose


def test_another_run_stands_beside(finished: Run, ada: Client) -> None:
    other = a_run(finished.project, name="second")
    finish(other, "warm")
    assert '<option value="2">second #2</option>' in _strip(ada)
    strip = _strip(ada, "?show=own&baseline=2")
    assert '<option value="2" selected>' in strip
    assert '<input type="hidden" name="show" value="own">' in strip
    average = drift_report(other).summary.average
    assert average.value is not None
    assert f'#2: <span class="num">{100 * average.value:.1f}' in strip
    assert "needs a domain whose own stage has later stages after it" in strip
    assert "yardstick" not in strip
    curves = ada.get(f"{DRIFT}figures/curves/?baseline=2").content.decode()
    assert "last of #2" in curves


def test_a_baseline_that_was_scored_otherwise_says_so(finished: Run, ada: Client) -> None:
    benchmarks = [{"domain": name, "n_problems": 12, "n_validation": 8} for name in DOMAINS]
    other = a_run(finished.project, spec=a_recipe(benchmarks=benchmarks))
    finish(other, "warm")
    assert "it was scored otherwise on Instruction following and STEM" in _strip(ada, "?baseline=2")
    assert "last of #2" not in ada.get(f"{DRIFT}figures/curves/?baseline=2").content.decode()


@pytest.mark.parametrize("baseline", ["1", "99", "x", "-1", "99999999999999999999"])
def test_a_baseline_that_there_is_none_of_is_none(baseline: str, finished: Run, ada: Client) -> None:
    assert "yardstick" not in _strip(ada, f"?baseline={baseline}")


def test_a_run_of_another_project_is_no_baseline(finished: Run, ada: Client) -> None:
    elsewhere = a_run(a_project("Others", owner="eve"))
    finish(elsewhere, "warm")
    a_member(elsewhere.project, "mallory", Role.OWNER)
    assert "Others" not in _strip(ada)
    assert "#1:" not in _strip(ada, f"?baseline={elsewhere.number}")


def test_a_new_score_makes_a_new_report_and_nothing_else_does(finished: Run) -> None:
    report = drift_report(finished)
    assert drift_report(Run.objects.get(pk=finished.pk)) is report
    checkpoint = finished.checkpoints.get(stage__name="mopd")
    ItemResult.objects.filter(score__checkpoint=checkpoint).delete()
    checkpoint.scores.all().delete()
    again = drift_report(Run.objects.get(pk=finished.pk))
    assert again is not report
    assert again.matrix.final_row() == report.matrix.row("if_rl")

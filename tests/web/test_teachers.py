"""Teachers chosen on the drift page become a recipe; the lineage is drawn beside its table."""

import re
from html import unescape

import pytest
from django.http import QueryDict
from django.test import Client

from runs.models import Benchmark, Role, Run, Score
from runs.pages.teachers import asked_teachers, with_teachers
from runs.report import drift_report
from tests.web.some_runs import a_member, a_project, a_recipe
from workers.spec import BASE, MOPDSpec, RecipeSpec

pytestmark = pytest.mark.django_db
DRIFT = "/projects/team/runs/1/drift/"


def _page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_names_the_best_and_the_cheapest_set(finished: Run, ada: Client) -> None:
    page = _page(ada, DRIFT)
    for domain, choice in drift_report(finished).best.items():
        assert f"{domain}%3A{choice.row}" in page
    assert "The cheapest set covers all domains within noise with" in page


def test_the_link_opens_a_recipe_that_can_be_launched(finished: Run, ada: Client) -> None:
    link = re.search(r'href="(/projects/team/new/[^"]*)">Use as MOPD teachers', _page(ada, DRIFT))
    assert link is not None
    page = _page(ada, unescape(link.group(1)))
    assert 'value="launch"' in page
    assert 'aria-disabled="true">Launch' not in page
    best = drift_report(finished).best
    query = QueryDict(unescape(link.group(1)).partition("?")[2])
    document = {**finished.document, "stages": [dict(stage) for stage in finished.document["stages"]]}
    with_teachers(document, asked_teachers(query))
    spec = RecipeSpec.model_validate(document)
    stage = [stage for stage in spec.stages if stage.kind == "mopd"][-1]
    assert isinstance(stage, MOPDSpec)
    assert stage.teachers == {domain: choice.row for domain, choice in best.items()}


def test_earlier_teachers_go_into_the_last_mopd_stage() -> None:
    document = a_recipe().model_dump(mode="json")
    with_teachers(document, {"instructions": "if_rl", "stem": BASE})
    spec = RecipeSpec.model_validate(document)
    assert [stage.name for stage in spec.stages] == ["warm", "if_rl", "mopd"]
    assert spec.stages[-1].teachers == {"instructions": "if_rl", "stem": BASE}


def test_later_teachers_need_a_new_stage_and_so_does_a_recipe_without_one() -> None:
    document = a_recipe().model_dump(mode="json")
    with_teachers(document, {"instructions": "mopd", "stem": "if_rl"})
    spec = RecipeSpec.model_validate(document)
    assert [stage.name for stage in spec.stages] == ["warm", "if_rl", "mopd", "mopd_2"]
    assert spec.stages[-2].teachers == {}
    without = a_recipe().model_dump(mode="json")
    del without["stages"][-1]
    with_teachers(without, {"instructions": "if_rl", "stem": "warm"})
    spec = RecipeSpec.model_validate(without)
    assert spec.stages[-1].kind == "mopd"
    assert set(spec.stages[-1].domains) == {"instructions", "stem"}


def test_teachers_that_make_no_sense_are_shown_as_problems(finished: Run, ada: Client) -> None:
    page = _page(ada, "/projects/team/new/?run=1&teacher=stem:nobody")
    assert "no earlier stage" in page
    assert ada.get("/projects/team/new/?run=99").status_code == 404
    assert ada.get("/projects/team/new/?run=x").status_code == 404


def test_a_run_of_another_project_is_not_found(finished: Run, client: Client) -> None:
    client.force_login(a_project("Others", owner="eve").members.get())
    assert client.get("/projects/others/new/?run=1").status_code == 404


def test_a_viewer_sees_teachers_and_no_button(finished: Run, client: Client) -> None:
    client.force_login(a_member(finished.project, "vic", Role.VIEWER))
    page = _page(client, DRIFT)
    assert "Use as MOPD teachers" not in page
    assert "role of runner" in page


def test_without_validation_scores_the_page_says_what_will_be_here(finished: Run, ada: Client) -> None:
    Score.objects.filter(benchmark__split="validation").delete()
    assert "as soon as one has validation scores" in _page(ada, DRIFT)


def test_the_lineage_has_a_line_per_checkpoint_and_dashes_per_teacher(finished: Run, ada: Client) -> None:
    page = _page(ada, DRIFT)
    assert page.count('class="stroke" data-kind="start"') == 3
    teachers = set(drift_report(finished).teachers["mopd"].values())
    assert page.count('class="stroke" data-kind="teacher"') == len(teachers)
    assert "if_rl starts from warm" in page


def test_the_lineage_labels_a_benchmark_that_names_itself(finished: Run, ada: Client) -> None:
    stem = {"domain": "stem", "title": "Graduate physics", "label": "GPQA"}
    others = [benchmark for benchmark in finished.document["benchmarks"] if benchmark["domain"] != "stem"]
    finished.document["benchmarks"] = [*others, stem | {"domain": "physics"}]
    finished.save()
    Benchmark.objects.filter(domain="stem").update(domain="physics")
    lineage = _page(ada, DRIFT).partition('id="lineage"')[2]
    assert re.search(r"★ [^<]*GPQA", lineage)

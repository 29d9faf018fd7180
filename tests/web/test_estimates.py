"""What a recipe will take: on the composer, over the API, and corrected by what has run."""

import html
import re
from typing import Any

import pytest
from django.test import Client

from runs import estimates
from runs.estimates import estimate
from runs.exchange.published import import_sample
from runs.models import Metric, Project, Role, Run, Stage
from tests.web.page_forms import form_fields
from tests.web.some_clients import a_client
from tests.web.some_runs import a_project, a_recipe, a_run, finish
from workers.estimate import DEFAULT_PACE, step_seconds
from workers.model_shape import shape_of
from workers.recipe_text import dump_recipe
from workers.spec import RecipeSpec, TinyModelSpec

pytestmark = pytest.mark.django_db
NEW, ESTIMATE = "/projects/team/new/", "/api/v1/projects/team/estimate/"
ELSEWHERE = {"kind": "folder", "folder": "nobody/has-it"}


def _took(run: Run, name: str, *, times: float) -> None:
    """Let a finished stage's steps have taken so many times what is predicted by default."""
    stage = run.stages.get(name=name)
    predicted = step_seconds(stage.spec, shape_of(run.recipe.spec.model, estimates.Path()))
    Metric.objects.bulk_create(Metric(stage=stage, step=n, name="step_s", value=times * predicted) for n in range(1, 7))


def _page(client: Client, recipe: RecipeSpec) -> str:
    answer = client.post(NEW, {"shown": "yaml", "text": dump_recipe(recipe), "op": "check"})
    return " ".join(html.unescape(answer.content.decode()).split())


def test_the_composer_says_what_each_stage_takes(ada: Client) -> None:
    page = _page(ada, a_recipe())
    assert page.count("mostly torch itself;") == 3
    assert re.search(r"About 0\.\d GiB \(0\.\d to 0\.\d\) of memory</span> for the largest stage", page)
    assert "Nothing has run here yet, so times are a guess." in page
    assert "refuses the run" not in page


def test_a_recipe_that_is_wrong_has_no_estimate(ada: Client) -> None:
    form = form_fields(ada.get(NEW, {"preset": "tiny-cascade"}).content.decode())
    assert "What it will take" not in ada.post(NEW, {**form, "seed": "x", "op": "check"}).content.decode()


def test_a_model_that_is_elsewhere_is_not_predicted(ada: Client) -> None:
    page = _page(ada, a_recipe(model=ELSEWHERE))
    assert "not predicted: the model folder 'has-it' is not on this machine." in page


def test_more_memory_than_there_is_warns_and_does_not_block(ada: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(estimates, "memory_bytes", lambda: 2**20)
    page = _page(ada, a_recipe())
    assert page.count("2 more stages would have no room either") == 1
    assert "Stage 'warm' needs at least 0.4 GiB of memory, mostly torch itself, and this machine has 0.0 GiB" in page
    launched = ada.post(NEW, {"shown": "yaml", "text": dump_recipe(a_recipe()), "op": "launch"})
    assert launched.headers["Location"].endswith("/runs/1/")


def test_times_follow_what_was_measured_of_the_same_kind(project: Project) -> None:
    run = a_run(project)
    finish(run, "warm", "if_rl")
    _took(run, "warm", times=3)
    _took(run, "if_rl", times=10)
    guess = _expected_steps(a_recipe(), a_project("Other", owner="eve"))
    found = estimate(a_recipe(), project)
    ratios = [now / before for now, before in zip(_expected_steps(a_recipe(), project), guess, strict=True)]
    assert ratios == pytest.approx([3, 10, 6.5])  # MOPD has not run: the median of both
    assert found.n_measured == 2
    assert found.seconds is not None
    assert found.seconds.low < found.seconds.expected < found.seconds.high


def _expected_steps(recipe: RecipeSpec, project: Project) -> list[float]:
    start_s = 3
    return [stage.seconds.expected - start_s for stage in estimate(recipe, project).stages]


def test_another_machine_says_nothing_of_this_one(project: Project) -> None:
    run = a_run(project)
    finish(run, "warm", "if_rl")
    _took(run, "warm", times=3)
    Stage.objects.filter(name="warm").update(worker="elsewhere:1")  # if_rl ended last, on another
    assert estimate(a_recipe(), project).n_measured == 0


def test_published_stages_hide_nothing_that_was_measured(project: Project) -> None:
    run = a_run(project)
    finish(run, "warm")
    _took(run, "warm", times=2.0)
    import_sample("nemotron-cascade-8b", project=project, user=project.members.get())
    assert estimate(a_recipe(), project).n_measured == 1


def test_a_bound_is_wider_while_nothing_is_measured(project: Project) -> None:
    assert DEFAULT_PACE.high / DEFAULT_PACE.low > estimates.SPREAD[1] / estimates.SPREAD[0]


def test_the_api_predicts_a_recipe_as_json_and_as_yaml(project: Project) -> None:
    client = a_client(project, Role.VIEWER)
    answer = client.post(ESTIMATE, a_recipe().model_dump(mode="json"))
    assert answer.status_code == 200
    found = answer.json()
    assert [(stage["stage"], stage["kind"]) for stage in found["stages"]] == [
        ("warm", "sft"), ("if_rl", "grpo"), ("mopd", "mopd"),
    ]  # fmt: skip
    assert found["memory"]["low"] < found["memory"]["expected"] < found["memory"]["high"]
    assert found["stages"][1]["dominant"] == "torch itself"
    assert sum(found["stages"][1]["terms"].values()) == pytest.approx(found["stages"][1]["memory"]["expected"])
    as_yaml = client.post(ESTIMATE, dump_recipe(a_recipe()).encode(), content_type="application/yaml")
    assert as_yaml.json() == found


def test_the_api_says_why_it_does_not_know_and_refuses_what_is_no_recipe(project: Project) -> None:
    client = a_client(project, Role.VIEWER)
    found = client.post(ESTIMATE, a_recipe(model=ELSEWHERE).model_dump(mode="json")).json()
    assert (found["stages"], found["memory"], found["seconds"]) == ([], None, None)
    assert "is not on this machine" in found["unknown"]
    assert client.post(ESTIMATE, {"name": "x"}).status_code == 422


def test_a_larger_model_takes_more(project: Project) -> None:
    small, large = (
        estimate(a_recipe(model=TinyModelSpec(**more)), project).memory
        for more in ({}, {"hidden_size": 1024, "mlp_size": 4096, "layers": 24})
    )
    assert small is not None
    assert large is not None
    assert large.expected > 5 * small.expected

"""Recipes of a project: their list, a version of one, and what it changed."""

import html
from typing import Any

import pytest
from django.test import Client

from runs.lifecycle import start_run
from runs.models import Project, Recipe, Role
from runs.pages.recipe_changes import Change, changes
from runs.recipes import save_recipe
from tests.web.some_runs import a_member, a_project, a_recipe
from workers.recipe_text import load_recipe


@pytest.fixture
def project(db: None) -> Project:
    return a_project()


def _save(project: Project, **changed: object) -> Recipe:
    return save_recipe(project=project, spec=a_recipe(**changed), user=project.members.first())


def _page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def test_the_list_has_the_newest_version_and_all_runs_of_a_name(project: Project, ada: Client) -> None:
    assert "No recipes yet" in _page(ada, "/projects/team/recipes/")
    first, second = _save(project), _save(project, seed=1)
    for recipe in (first, first, second):
        start_run(project=project, recipe=recipe, user=recipe.created_by)
    page = _page(ada, "/projects/team/recipes/")
    assert "/recipes/small/v2/" in page
    assert "/recipes/small/v1/" not in page
    assert '<td class="num">3</td>' in page


def test_a_version_shows_its_stages_yaml_runs_and_changes(project: Project, ada: Client) -> None:
    first, second = _save(project), _save(project, seed=9)
    run = start_run(project=project, recipe=second, user=second.created_by)
    page = _page(ada, "/projects/team/recipes/small/v2/")
    assert all(words in page for words in ("if_rl", "Changes since", str(run), f"?recipe={second.public_id}"))
    assert '<del class="num">0</del>' in page
    assert '<ins class="num">9</ins>' in page
    assert "Changes since" not in _page(ada, "/projects/team/recipes/small/v1/")
    assert ada.get("/projects/team/recipes/small/v3/").status_code == 404
    assert load_recipe(ada.get("/projects/team/recipes/small/v1.yaml").content.decode()) == first.spec


def test_readers_are_offered_no_run_and_strangers_find_nothing(project: Project, client: Client) -> None:
    _save(project)
    client.force_login(a_member(project, "vera", Role.VIEWER))
    assert "New run from this" not in _page(client, "/projects/team/recipes/small/v1/")
    client.force_login(a_project("Other", owner="eve").members.get())
    for address in ("", "small/v1/", "small/v1.yaml"):
        assert client.get(f"/projects/team/recipes/{address}").status_code == 404


def _document(*stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"seed": 0, "model": {"kind": "tiny"}, "stages": list(stages), "benchmarks": [], **more}


SFT = {"kind": "sft", "name": "sft", "steps": 10, "domains": {"stem": 1.0}}
RL = {"kind": "grpo", "name": "rl", "steps": 5, "domains": {"stem": 1.0}, "filter": True}


def test_settings_are_compared_one_by_one() -> None:
    changed = {**RL, "steps": 6, "filter": False, "domains": {"tools": 2.0}}
    assert changes(_document(SFT, RL), _document(SFT, changed, seed=1)) == [
        Change("recipe", "seed", "0", "1"),
        Change("stage rl", "steps", "5", "6"),
        Change("stage rl", "domains.tools", None, "2"),
        Change("stage rl", "filter", "on", "off"),
        Change("stage rl", "domains.stem", "1", None),
    ]


def test_a_stage_that_came_or_went_is_one_line_and_so_is_a_new_order() -> None:
    assert changes(_document(SFT), _document(SFT, RL)) == [Change("stage rl", "", None, "GRPO, 5 steps")]
    assert changes(_document(SFT, RL), _document(SFT)) == [Change("stage rl", "", "GRPO, 5 steps", None)]
    assert changes(_document(SFT, RL), _document(RL, SFT)) == [
        Change("recipe", "order of stages", "sft, rl", "rl, sft")
    ]
    assert changes(_document(SFT, RL), _document(SFT, RL)) == []

"""New run: a recipe written in a form or as YAML, launched or kept."""

import html
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from runs.models import DataSet, Project, Recipe, Role, Run
from runs.presets import load_preset, preset_names
from runs.recipes import save_recipe
from runs.samples import register_samples
from tests.web.page_forms import form_fields
from tests.web.some_data import read_rows
from tests.web.some_runs import a_member, a_project, a_recipe
from workers.recipe_text import dump_recipe, load_recipe
from workers.spec import LoRASpec

pytestmark = pytest.mark.django_db
NEW = "/projects/team/new/"


def _page(answer: HttpResponse | Any, status: int = 200) -> str:
    assert answer.status_code == status
    return html.unescape(answer.content.decode())


def _form(client: Client, preset: str = "tiny-cascade") -> dict[str, str]:
    return form_fields(client.get(NEW, {"preset": preset}).content.decode())


def _press(client: Client, form: dict[str, str], op: str) -> dict[str, str]:
    return form_fields(client.post(NEW, {**form, "op": op}).content.decode())


def _names(form: dict[str, str]) -> list[str]:
    return [value for name, value in form.items() if name.startswith("stages.") and name.endswith(".name")]


def test_a_preset_is_chosen_changed_and_launched(ada: Client, project: Project) -> None:
    start = _page(ada.get(NEW))
    assert all(f"?preset={name}" in start for name in preset_names())
    form = _form(ada) | {"seed": "7", "stages.1.steps": "90", "op": "launch"}
    answer = ada.post(NEW, form)
    run = Run.objects.get(project=project)
    assert answer.headers["Location"] == f"/projects/team/runs/{run.number}/"
    assert run.recipe.version == 1
    assert run.document["seed"] == 7
    assert run.stages.get(position=1).n_steps == 90


@pytest.mark.parametrize("preset", preset_names())
def test_the_form_loses_nothing_of_a_recipe(preset: str, ada: Client, project: Project) -> None:
    register_samples(preset, project=project, user=project.members.get())
    for data_set in DataSet.objects.all():
        read_rows(data_set)
    ada.post(NEW, {**_form(ada, preset), "op": "save"})
    assert Recipe.objects.get(project=project).spec == load_preset(preset)


def test_launching_twice_from_one_page_starts_one_run(ada: Client) -> None:
    form = _form(ada) | {"op": "launch"}
    first, second = ada.post(NEW, form), ada.post(NEW, form)
    assert first.headers["Location"] == second.headers["Location"]
    assert Run.objects.count() == 1
    ada.post(NEW, {**_form(ada), "op": "launch"})
    assert Run.objects.count() == 2


def test_stages_are_moved_duplicated_removed_and_added(ada: Client) -> None:
    form = _form(ada, "tiny-reward-hacking")
    assert _names(form) == ["sft", "rlhf", "mopd"]
    moved = _press(ada, form, "down:1")
    assert _names(moved) == ["sft", "mopd", "rlhf"]
    assert moved["stages.2.reward_model.length_bias"] == "0.25"
    assert _names(_press(ada, moved, "up:2")) == ["sft", "rlhf", "mopd"]
    assert _names(_press(ada, form, "duplicate:1")) == ["sft", "rlhf", "rlhf_2", "mopd"]
    assert _names(_press(ada, form, "remove:0")) == ["rlhf", "mopd"]
    for kind in ("sft", "grpo", "mopd"):
        added = _press(ada, form, f"add:{kind}")
        assert added["stages.3.kind"] == kind
        assert load_recipe(_preview(ada, added)).stages[3].kind == kind


def _preview(client: Client, form: dict[str, str]) -> str:
    page = _page(client.post(NEW, {**form, "op": "check"}))
    return page.split('id="preview"')[1].split(">", 1)[1].split("</pre>")[0]


@pytest.mark.parametrize("op", ["up:0", "down:99", "remove:x", "add:ppo", "nonsense", "", "up:-1", "duplicate:"])
def test_a_strange_button_changes_nothing(op: str, ada: Client) -> None:
    form = _form(ada, "tiny-reward-hacking")
    assert _names(_press(ada, form, op)) == ["sft", "rlhf", "mopd"]


def test_what_was_typed_stays_and_its_error_is_beside_it_and_on_top(ada: Client) -> None:
    form = _form(ada) | {"stages.1.steps": "ninety", "stages.2.learning_rate": "-1", "seed": "1e3", "op": "launch"}
    page = _page(ada.post(NEW, form), 422)
    changing = {"op": "", "csrfmiddlewaretoken": ""}
    assert form | changing == form_fields(page) | changing
    assert "3 things to put right" in page
    assert "<a href=\"#f-stages-1-steps\">Stage 2 · steps</a>: found 'ninety', expected a whole number" in page
    assert page.count("found 'ninety'") == 2
    assert Run.objects.count() == Recipe.objects.count() == 0


def test_references_follow_a_renamed_stage_and_a_lost_one_is_named(ada: Client) -> None:
    form = _form(ada) | {"stages.3.starts_from": "sft", "stages.3.teachers.stem": "if_rl"}
    renamed = _press(ada, form | {"stages.0.name": "warm", "stages.1.name": "first"}, "check")
    assert (renamed["stages.3.starts_from"], renamed["stages.3.teachers.stem"]) == ("warm", "first")
    page = _page(ada.post(NEW, {**renamed, "op": "remove:1"}))
    assert "takes teacher 'first', which is no earlier stage; pick one of: best, base, warm" in page
    assert form_fields(page)["stages.2.teachers.stem"] == "first"


def test_a_learned_reward_brings_its_reward_model_and_takes_it_away(ada: Client) -> None:
    form = _press(ada, _form(ada) | {"stages.1.domains.preference.on": "on"}, "check")
    assert form["stages.1.reward_model.hard_negatives"] == "0.3"
    del form["stages.1.domains.preference.on"]
    assert "stages.1.reward_model.steps" not in _press(ada, form, "check")


def test_adapters_are_switched_on_set_and_switched_off(ada: Client) -> None:
    form = _form(ada)
    assert "stages.1.lora.rank" not in form
    form = _press(ada, form | {"stages.1.lora.on": "on"}, "check")
    assert (form["stages.1.lora.rank"], form["stages.1.lora.target_modules"]) == ("16", "all-linear")
    form = _press(ada, form | {"stages.1.lora.rank": "4", "stages.1.gradient_checkpointing": "on"}, "check")
    stage = load_recipe(_preview(ada, form)).stages[1]
    assert stage.lora == LoRASpec(rank=4)
    assert stage.gradient_checkpointing
    as_text = _press(ada, form, "show:yaml")
    assert "lora: {rank: 4, alpha: 32, target_modules: all-linear}" in as_text["text"]
    assert _press(ada, as_text, "show:form")["stages.1.lora.rank"] == "4"
    assert _press(ada, form, "duplicate:1")["stages.2.lora.rank"] == "4"
    del form["stages.1.lora.on"]
    assert load_recipe(_preview(ada, form)).stages[1].lora is None


def test_what_is_wrong_with_adapters_opens_their_fold_and_stands_beside_them(ada: Client) -> None:
    form = _press(ada, _form(ada) | {"stages.1.lora.on": "on"}, "check")
    page = _page(ada.post(NEW, {**form, "stages.1.lora.rank": "0", "op": "launch"}), 422)
    assert '<a href="#f-stages-1-lora-rank">Stage 2 · lora · rank</a>: found 0, expected at least 1' in page
    assert 'id="fold-adapters-lora-if_rl" open' in page
    page = _page(ada.post(NEW, {**form, "stages.1.optimizer": "muon", "op": "launch"}), 422)
    assert "found optimizer muon with lora, expected adamw" in page


def test_yaml_becomes_the_form_and_the_form_yaml(ada: Client) -> None:
    as_text = _press(ada, _form(ada), "show:yaml")
    assert load_recipe(as_text["text"]) == load_preset("tiny-cascade")
    edited = as_text | {"text": as_text["text"].replace("steps: 80", "steps: 91") + "# a remark"}
    assert _press(ada, edited, "check")["text"].strip().endswith("# a remark")
    assert _press(ada, edited, "show:form")["stages.2.steps"] == "91"


def test_yaml_that_no_form_can_hold_stays_text_with_its_line(ada: Client) -> None:
    text = dump_recipe(a_recipe()).replace("steps: 6", "stepz: 6", 1)
    page = _page(ada.post(NEW, {"shown": "yaml", "text": text, "op": "show:form"}))
    line = next(number for number, found in enumerate(text.splitlines(), 1) if "stepz" in found)
    assert f"line {line}</span> · <code>stages[0].stepz</code>: found a field that does not exist" in page
    assert "stays as YAML" in page
    assert form_fields(page)["text"].strip() == text.strip()


def test_yaml_with_wrong_values_can_be_mended_in_the_form(ada: Client) -> None:
    text = dump_recipe(a_recipe()).replace("steps: 6", "steps: many", 1)
    form = _press(ada, {"shown": "yaml", "text": text}, "show:form")
    assert (form["shown"], form["stages.0.steps"]) == ("form", "many")


def test_a_recipe_is_kept_in_versions_and_started_from_again(ada: Client, project: Project) -> None:
    ada.post(NEW, {**_form(ada), "op": "save"})
    answer = ada.post(NEW, {**_form(ada), "seed": "5", "op": "save"})
    assert answer.headers["Location"] == "/projects/team/recipes/tiny-cascade/v2/"
    newest = Recipe.objects.get(project=project, version=2)
    assert form_fields(ada.get(NEW, {"recipe": newest.public_id}).content.decode())["seed"] == "5"


def test_a_script_gets_the_form_alone_and_is_told_where_to_go(ada: Client) -> None:
    form = _form(ada)
    part = ada.post(NEW, {**form, "op": "check"}, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<form")
    assert "<html" not in part
    launched = ada.post(NEW, {**form, "op": "launch"}, headers={"HX-Request": "true"})
    assert launched.headers["HX-Redirect"] == "/projects/team/runs/1/"


def test_every_setting_says_its_default_unit_range_and_source(ada: Client) -> None:
    page = _page(ada.get(NEW, {"preset": "tiny-cascade"}))
    assert "default 128 · prompts · 1 ≤ x ≤ 65,536 · C2 Tables 8-10" in page
    assert "required · 0 < x ≤ 1 · C2 Tables 8-10" in page


def test_readers_see_the_recipe_and_cannot_launch_it(ada: Client, project: Project) -> None:
    form = _form(ada)
    ada.force_login(a_member(project, "vera", Role.VIEWER))
    page = _page(ada.get(NEW, {"preset": "tiny-cascade"}))
    assert "needs the role runner; yours is viewer" in page
    assert 'value="launch"' not in page
    for op in ("launch", "save"):
        _page(ada.post(NEW, {**form, "op": op}), 403)
    assert Run.objects.count() == Recipe.objects.count() == 0


def test_strangers_find_nothing_and_the_signed_out_are_asked_to_sign_in(client: Client, project: Project) -> None:
    recipe = save_recipe(project=project, spec=a_recipe(), user=project.members.get())
    assert client.get(NEW).headers["Location"] == f"/sign-in/?next={NEW}"
    other = a_project("Other", owner="eve")
    client.force_login(other.members.get())
    assert client.get(NEW).status_code == 404
    assert client.post(NEW, {"op": "launch"}).status_code == 404
    assert client.get("/projects/other/new/", {"recipe": recipe.public_id}).status_code == 404
    assert client.get("/projects/other/new/", {"preset": "../secret"}).status_code == 404


def test_an_empty_post_is_an_invalid_recipe_not_a_fault(ada: Client) -> None:
    assert "to put right" in _page(ada.post(NEW, {"op": "launch"}), 422)
    assert "paste a recipe first" in _page(ada.post(NEW, {"shown": "yaml", "text": " ", "op": "launch"}), 422)


@pytest.mark.parametrize("field", ["stages.00.kind", "stages.\u0661.kind", "benchmarks.01.on", "gates.007.on"])
def test_a_position_that_no_form_has_is_passed_over(field: str, ada: Client) -> None:
    assert ada.post(NEW, {**_form(ada), field: "sft", "op": "check"}).status_code == 200


@pytest.mark.parametrize("folder", ["[1]", "{a: 1}", "'" + "\N{GRINNING FACE}" * 200 + "'"])
def test_a_folder_that_cannot_be_is_told_beside_the_text(folder: str, ada: Client) -> None:
    text = f"name: z\nmodel: {{kind: folder, folder: {folder}}}\nstages: []\n"
    for op in ("check", "show:form"):
        answer = ada.post(NEW, {"shown": "yaml", "text": text, "op": op})
        assert answer.status_code in (200, 422)
        assert "put right" in answer.content.decode()

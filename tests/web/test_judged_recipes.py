"""Recipes on rows that no rule can grade: refused with field and remedy until a judge or a reward model is named, then resolved."""

import html
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from runs import estimates, resolve
from runs.estimates import MissingModelError
from runs.lifecycle import start_run
from runs.models import Project, Recipe, Stage
from runs.pages.figures import curves_of
from runs.pins import pin_data_sets
from runs.recipes import save_recipe
from tests.web.page_forms import form_fields
from tests.web.some_data import a_data_set
from tests.web.some_runs import a_project
from workers.judges import JudgeSpec
from workers.recipe_text import RecipeError, check_recipe, load_recipe
from workers.spec import RecipeSpec

pytestmark = pytest.mark.django_db
NEW = "/projects/team/new/"
WORDS = [f"{a}{b}" for a in "abcdefghij" for b in "bcdfghkmpr"]
ROWS: dict[str, list[dict[str, Any]]] = {
    "judged": [{"prompt": f"say {word}", "answer": word, "verifier": "judged"} for word in WORDS],
    "pairs": [{"prompt": f"say {word}", "chosen": word, "rejected": "no"} for word in WORDS],
    "prompts": [{"prompt": f"say {word}", "reference": {}, "verifier": "preference"} for word in WORDS],
    "questions": [
        {
            "responses_create_params": {"input": f"say {word}"},
            "agent_ref": {"name": "lc_judge_simple_agent"},
            "question": "which?",
            "expected_answer": word,
        }
        for word in WORDS
    ],
}


@pytest.fixture
def project(settings: Any) -> Project:
    settings.JUDGES = {
        "qwen": JudgeSpec(url="https://judge.example/v1", model="qwen3"),
        "oss": JudgeSpec(url="https://oss.example/v1", model="gpt-oss"),
    }
    return a_project()


def recipe_on(name: str, *, reward: Any = None, benchmark: bool = True, **more: Any) -> dict[str, Any]:
    stage = {
        "kind": "grpo", "name": "rl", "domains": {name: 1}, "steps": 3, "learning_rate": 1e-3, "prompts_per_step": 2,
        "rollouts_per_prompt": 2, "max_response_tokens": 6,
    }  # fmt: skip
    sft = {"kind": "sft", "name": "warm", "domains": {"stem": 1}, "steps": 3, "learning_rate": 1e-3, "batch_size": 8}
    return {
        "name": "ours",
        "stages": [sft, {**stage, **({"reward_model": reward} if reward is not None else {})}],
        "benchmarks": [{"domain": name if benchmark else "stem", "max_response_tokens": 6}],
        **more,
    }


def checked(document: dict[str, Any], project: Project) -> RecipeSpec:
    return check_recipe(pin_data_sets(document, project))


@pytest.mark.parametrize(
    ("rows", "recipe", "field", "words"),
    [
        ("judged", {}, "judge", "rows that only a judge can grade in data set 'own' (stage 'rl') and no judge"),
        ("pairs", {"judge": "qwen"}, "stages[1].reward_model", "add one of kind trained, folder or judge"),
        ("pairs", {"reward": {}}, "judge", "rows that only a judge can grade in data set 'own' (a benchmark)"),
        ("prompts", {"reward": {}, "benchmark": False}, "stages[1].reward_model.kind", "set kind to folder or judge"),
        ("prompts", {"reward": {"kind": "judge"}, "judge": "qwen"}, "benchmarks[0].domain", "without an answer to compare"),
        ("pairs", {"reward": {"kind": "judge"}, "benchmark": False}, "stages[1].reward_model.judge", "found no judge here"),
        ("judged", {"judge": "gpt"}, "judge", "found judge 'gpt', expected one of: oss, qwen"),
        (
            "pairs",
            {"reward": {"kind": "judge", "judge": "gpt"}, "benchmark": False},
            "stages[1].reward_model.judge",
            "expected one of: oss, qwen",
        ),
        ("pairs", {"reward": {"kind": "magic"}}, "stages[1].reward_model.kind", "found kind 'magic'"),
        ("pairs", {"reward": {"kind": "folder"}}, "stages[1].reward_model.folder", "found nothing, expected a value"),
        ("pairs", {"reward": {"kind": "folder", "folder": "../x"}}, "stages[1].reward_model.folder", "below MODELS_DIR"),
        ("pairs", {"reward": {"kind": "judge", "steps": 3}}, "stages[1].reward_model.steps", "does not exist"),
        ("pairs", {"reward": {"steps": 0}}, "stages[1].reward_model.steps", "at least 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_refused(
    rows: str, recipe: dict[str, Any], field: str, words: str, project: Project
) -> None:
    a_data_set(project, ROWS[rows])
    with pytest.raises(RecipeError) as refused:
        checked(recipe_on("own", **recipe), project)
    assert [problem.field for problem in refused.value.problems] == [field]
    assert words in refused.value.problems[0].message


@pytest.mark.parametrize(
    ("rows", "recipe"),
    [
        ("judged", {"judge": "qwen"}),
        ("pairs", {"judge": "qwen", "reward": {}}),
        ("pairs", {"reward": {"kind": "judge", "judge": "oss"}, "benchmark": False}),
        ("prompts", {"reward": {"kind": "folder", "folder": "rm"}, "benchmark": False}),
        ("questions", {}),
        ("questions", {"judge": "qwen"}),
    ],
)
def test_what_can_be_carried_out_is_not(rows: str, recipe: dict[str, Any], project: Project) -> None:
    a_data_set(project, ROWS[rows])
    assert checked(recipe_on("own", **recipe), project).stages[1].name == "rl"


def test_preference_rows_have_no_task_reward_in_a_mopd_stage(project: Project) -> None:
    a_data_set(project, ROWS["pairs"])
    document = recipe_on("own", benchmark=False)
    document["stages"][1] |= {"kind": "mopd", "teachers": {"own": "warm"}, "task_reward_weight": 0.5}
    with pytest.raises(RecipeError, match="whose rows are about preference"):
        checked(document, project)


def test_a_server_without_judges_says_so(project: Project, settings: Any) -> None:
    settings.JUDGES = {}
    with pytest.raises(RecipeError, match="this server declares none"):
        checked(recipe_on("stem", judge="qwen"), project)


def test_recipes_without_a_kind_stay_what_they_were() -> None:
    document = recipe_on("preference", reward={"steps": 7})
    spec = check_recipe(document)
    assert spec.stages[1].reward_model.kind == "trained"  # type: ignore[union-attr]
    assert spec.stages[1].reward_model.steps == 7  # type: ignore[union-attr]
    text = "kind: grpo, name: rl, domains: {preference: 1}, steps: 3, learning_rate: 1e-3, max_response_tokens: 6"
    sft = "kind: sft, name: s, domains: {stem: 1}, steps: 3, learning_rate: 1e-3"
    loaded = load_recipe(f"name: ours\nstages:\n- {{{sft}}}\n- {{{text}, reward_model: {{}}}}\n")
    assert loaded.stages[1].reward_model.kind == "trained"  # type: ignore[union-attr]


def stages_of(document: dict[str, Any], project: Project) -> list[Stage]:
    user = project.members.get()
    recipe = save_recipe(project=project, spec=checked(document, project), user=user)
    return list(start_run(project=project, recipe=recipe, user=user).stages.order_by("position"))


@pytest.mark.parametrize(
    ("rows", "recipe", "judge"),
    [
        ("judged", {"judge": "qwen"}, "qwen"),
        ("questions", {"judge": "qwen"}, "qwen"),
        ("pairs", {"judge": "qwen", "reward": {}}, None),  # the stage's own model rewards them
        ("pairs", {"judge": "qwen", "reward": {"kind": "judge"}}, "qwen"),
    ],
)
def test_only_what_asks_a_judge_is_told_of_it(
    rows: str, recipe: dict[str, Any], judge: str | None, project: Project
) -> None:
    a_data_set(project, ROWS[rows])
    warm, rl = stages_of(recipe_on("own", **recipe), project)
    assert resolve._judge_of_stage(RecipeSpec.model_validate(rl.run.document), rl.spec) == judge
    assert resolve._judge_of_stage(RecipeSpec.model_validate(rl.run.document), warm.spec) is None
    spec = RecipeSpec.model_validate(rl.run.document)
    assert resolve._judge_of_rows(spec, ["own"], in_benchmark=True) == "qwen"
    assert resolve._judge_of_rows(spec, ["stem"], in_benchmark=True) is None


def test_a_stage_that_asks_a_judge_shows_what_it_asked(project: Project) -> None:
    a_data_set(project, ROWS["judged"])
    warm, rl = stages_of(recipe_on("own", judge="qwen"), project)
    rl.resolved = {"judge": "qwen", "stage": {}}
    assert {"judge", "judge-tokens"} <= {name for name, _ in curves_of(rl)}
    assert not {"judge", "judge-tokens"} & {name for name, _ in curves_of(warm)}


def test_a_reward_model_that_is_not_there_is_found_out_before_anything_trains(
    project: Project, settings: Any, tmp_path: Path, client: Client
) -> None:
    settings.MODELS_DIR = tmp_path
    a_data_set(project, ROWS["prompts"])
    document = recipe_on("own", reward={"kind": "folder", "folder": "rm"}, benchmark=False)
    warm, _ = stages_of(document, project)
    with pytest.raises(MissingModelError, match="stage 'rl' takes the reward model in folder 'rm', which is not below"):
        estimates.refuse_missing_reward_models(warm)
    client.force_login(project.members.get())
    page = client.get(NEW, {"recipe": Recipe.objects.get().public_id}).content.decode()
    assert "the reward model in folder" in html.unescape(page)
    (tmp_path / "rm").mkdir()
    (tmp_path / "rm" / "config.json").write_text("{}")
    estimates.refuse_missing_reward_models(warm)


# The composer ---------------------------------------------------------------------------------------------------


def press(client: Client, form: dict[str, str], op: str = "check") -> dict[str, str]:
    return form_fields(client.post(NEW, {**form, "op": op}).content.decode())


def test_the_form_offers_judges_and_the_kinds_of_a_reward_model(project: Project, client: Client) -> None:
    a_data_set(project, ROWS["pairs"])
    client.force_login(project.members.get())
    form = form_fields(client.get(NEW, {"data": "own", "version": "1"}).content.decode())
    assert form["judge"] == ""
    form = press(client, form | {"stages.1.reward_model.on": "on", "judge": "qwen"})
    assert (form["judge"], form["stages.1.reward_model.kind"]) == ("qwen", "trained")
    assert "stages.1.reward_model.hard_negatives" in form
    form = press(client, form | {"stages.1.reward_model.kind": "folder"})
    assert (form["stages.1.reward_model.folder"], form["stages.1.reward_model.batch_tokens"]) == ("", "16384")
    form = press(client, form | {"stages.1.reward_model.kind": "judge"})
    assert (form["stages.1.reward_model.judge"], "stages.1.reward_model.steps" in form) == ("", False)
    answer = client.post(NEW, {**form, "stages.1.reward_model.judge": "oss", "op": "save"})
    assert answer.status_code == 302, html.unescape(answer.content.decode())
    saved = Recipe.objects.get().spec
    assert saved.judge == "qwen"
    assert saved.stages[1].reward_model.model_dump() == {"kind": "judge", "judge": "oss"}  # type: ignore[union-attr]
    again = form_fields(client.get(NEW, {"recipe": Recipe.objects.get().public_id}).content.decode())
    assert (again["judge"], again["stages.1.reward_model.judge"]) == ("qwen", "oss")


def test_the_form_says_what_is_missing_beside_its_field(project: Project, client: Client) -> None:
    a_data_set(project, ROWS["pairs"])
    a_data_set(project, ROWS["judged"], name="essays")
    client.force_login(project.members.get())
    form = form_fields(client.get(NEW, {"data": "own", "version": "1"}).content.decode())
    del form["stages.1.reward_model.on"]
    page = html.unescape(client.post(NEW, {**form, "op": "check"}).content.decode())
    assert page.count("whose reward is learned, without reward_model") == 2  # on top and beside it
    page = html.unescape(client.get(NEW, {"data": "essays", "version": "1"}).content.decode())
    assert page.count("and no judge, expected one; name one that the server declares") == 2

"""Models on pages: registering one, what is known of it, and the composer that starts from it."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from runs import lifecycle
from runs.models import AuditEntry, Project, RegisteredModel, Role, Run, Status
from runs.pins import pin_recipe
from runs.recipes import save_recipe
from tests.web.page_forms import form_fields
from tests.web.some_models import THINKS, a_model, a_model_folder
from tests.web.some_runs import a_member, a_project
from workers.recipe_text import RecipeError, check_recipe

pytestmark = pytest.mark.django_db
LIST, NEW, COMPOSE = "/projects/team/models/", "/projects/team/models/new/", "/projects/team/new/?preset=tiny-cascade"


@pytest.fixture
def project(settings: Any, tmp_path: Path) -> Project:
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    return a_project()


@pytest.fixture
def ada(project: Project, client: Client) -> Client:
    client.force_login(project.members.get())
    return client


def page_of(model: RegisteredModel) -> str:
    return f"{LIST}{model.public_id}/"


def a_document(**changes: Any) -> dict[str, Any]:
    """A recipe that starts from the folder 'small'."""
    common = {"domains": {"stem": 1}, "steps": 5, "learning_rate": 1e-3}
    stages = [
        {"kind": "sft", "name": "warm", **common},
        {"kind": "grpo", "name": "rl", "max_response_tokens": 6, **common},
    ]
    model = {"kind": "folder", "folder": "small"}
    benchmarks = [{"domain": "stem", "max_response_tokens": 6}]
    return {"name": "ours", "model": model, "stages": stages, "benchmarks": benchmarks, **changes}


def test_an_empty_list_gives_the_first_step(ada: Client) -> None:
    text = ada.get(LIST).content.decode()
    assert "No models yet" in text
    assert f'href="{NEW}"' in text
    assert "There is no model below MODELS_DIR yet" in ada.get(NEW).content.decode()


def test_a_folder_is_chosen_from_those_there_are_and_registered_once(ada: Client, project: Project) -> None:
    a_model_folder("small")
    assert '<option value="small">' in ada.get(NEW).content.decode()
    first, second = (ada.post(NEW, {"folder": "small"}).headers["Location"] for _ in range(2))
    assert first == second == page_of(project.registered_models.get())
    assert AuditEntry.objects.get(project=project).action == "model.registered"
    assert "Waiting for a worker." in ada.get(first).content.decode()
    assert '<option value="small">' not in ada.get(NEW).content.decode()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Found no folder; choose one."),
        ({"folder": "other"}, "Select a valid choice"),
        ({"hub": "a/b"}, "Found no folder"),
    ],
)
def test_what_cannot_be_registered_is_said_beside_its_field(ada: Client, given: dict[str, str], words: str) -> None:
    answer = ada.post(NEW, given)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not RegisteredModel.objects.exists()


def test_the_hub_is_offered_only_where_it_is_allowed(ada: Client, settings: Any, project: Project) -> None:
    assert 'name="hub"' not in ada.get(NEW).content.decode()
    settings.ALLOW_HUB = True
    assert 'name="hub"' in ada.get(NEW).content.decode()
    assert "expected owner/name" in ada.post(NEW, {"hub": "nonsense"}).content.decode()
    assert ada.post(NEW, {"hub": "team/small"}).status_code == 302
    assert project.registered_models.get().folder == "team--small"


def test_a_model_shows_what_is_known_of_it(ada: Client, project: Project) -> None:
    model = a_model(project, template=THINKS + "<b>")
    text = " ".join(ada.get(page_of(model)).content.decode().split())
    assert "Qwen3ForCausalLM, 3.3 k parameters in bfloat16, 256 tokens of context" in text
    assert "can turn thinking on and off" in text
    assert "&lt;u&gt;system Be brief." in text
    assert "&lt;b&gt;" in text
    assert "Qwen3ForCausalLM" in ada.get(LIST).content.decode()
    assert ada.get(f"{page_of(model)}?part=progress").headers["HX-Refresh"] == "true"


def test_a_failed_look_says_why_and_is_tried_again(ada: Client, project: Project) -> None:
    a_model_folder("small")
    ada.post(NEW, {"folder": "small"})
    model = project.registered_models.get()
    claim = lifecycle.claim_data(RegisteredModel, model.pk, worker="host:1")
    assert claim is not None
    lifecycle.fail(claim, code="bad_spec", reason="found no chat template")
    assert "found no chat template" in ada.get(page_of(model)).content.decode()
    for _ in range(2):
        assert ada.post(f"{page_of(model)}again/").status_code == 302
    model.refresh_from_db()
    assert model.status == Status.QUEUED


def test_a_viewer_registers_and_removes_nothing(ada: Client, project: Project) -> None:
    model = a_model(project)
    viewer = Client()
    viewer.force_login(a_member(project, "vic", Role.VIEWER))
    assert viewer.post(NEW, {"folder": "small"}).status_code == 403
    for action in ("again", "remove"):
        assert viewer.post(f"{page_of(model)}{action}/").status_code == 403
    assert "Remove the registration" not in viewer.get(page_of(model)).content.decode()


def test_a_registration_is_removed_but_not_under_a_run(ada: Client, project: Project) -> None:
    model, user = a_model(project), project.members.get()
    spec = check_recipe(pin_recipe(a_document(), project))
    run = lifecycle.start_run(project=project, recipe=save_recipe(project=project, spec=spec, user=user), user=user)
    answer = ada.post(f"{page_of(model)}remove/", follow=True).content.decode()
    assert "is not over and trains small; cancel the run" in answer
    lifecycle.cancel(run)
    assert "Its files are still below MODELS_DIR" in ada.post(f"{page_of(model)}remove/", follow=True).content.decode()
    assert not project.registered_models.exists()
    assert "not registered" in ada.get("/projects/team/recipes/ours/v1/").content.decode()


# The composer ---------------------------------------------------------------------------------------------------


def test_a_model_becomes_a_recipe_that_is_launched(ada: Client, project: Project) -> None:
    model = a_model(project)
    form = form_fields(ada.get(f"/projects/team/new/?model={model.public_id}").content.decode())
    assert (form["model.kind"], form["model.folder"], form["model.max_positions"]) == ("folder:small", "small", "256")
    assert ada.post("/projects/team/new/", {**form, "op": "launch"}).status_code == 302
    run = Run.objects.get(project=project)
    assert run.document["model"] == {"kind": "folder", "folder": "small", "max_positions": 256}
    assert "small, 3.3 k parameters" in ada.get(f"/projects/team/runs/{run.number}/").content.decode()
    assert "256 tokens" in ada.get(f"/projects/team/recipes/{run.recipe.name}/v1/").content.decode()


def test_a_model_that_is_picked_brings_its_context_length(ada: Client, project: Project) -> None:
    a_model(project)
    a_model(project, "wide", max_position_embeddings=4096)
    form = form_fields(ada.get(COMPOSE).content.decode())
    page = ada.post("/projects/team/new/", {**form, "model.kind": "folder:small", "op": "check"}).content.decode()
    form = form_fields(page)
    assert form["model.max_positions"] == "256"
    assert "256 tokens of context" in page
    page = ada.post("/projects/team/new/", {**form, "model.max_positions": "128", "op": "check"}).content.decode()
    assert form_fields(page)["model.max_positions"] == "128"
    page = ada.post("/projects/team/new/", {**form, "model.kind": "folder:wide", "op": "check"}).content.decode()
    assert form_fields(page)["model.max_positions"] == "4096"
    page = ada.post("/projects/team/new/", {**form, "model.kind": "folder", "op": "check"}).content.decode()
    assert form_fields(page)["model.folder"] == ""


def test_a_recipe_stays_within_the_context_length(project: Project) -> None:
    a_model(project)
    long = {"kind": "folder", "folder": "small", "max_positions": 512}
    with pytest.raises(RecipeError, match="expected at most 256, the context length of small"):
        pin_recipe(a_document(model=long), project)
    spec = check_recipe(pin_recipe(a_document(), project))
    assert spec.model.max_positions == 256
    stages = a_document()["stages"]
    stages[1]["max_response_tokens"] = 300
    with pytest.raises(RecipeError, match="in a model of 256 positions"):
        check_recipe(pin_recipe(a_document(stages=stages), project))


def test_a_switch_that_the_template_does_not_have_is_refused(project: Project) -> None:
    a_model(project)
    a_model(project, "thinker", template=THINKS)
    document = a_document(benchmarks=[{"domain": "stem", "max_response_tokens": 6, "thinking": False}])
    document["stages"][0]["thinking"] = True
    with pytest.raises(RecipeError) as refused:
        pin_recipe(document, project)
    assert [problem.field for problem in refused.value.problems] == ["stages[0].thinking", "benchmarks[0].thinking"]
    check_recipe(pin_recipe({**document, "model": {"kind": "folder", "folder": "thinker"}}, project))
    with pytest.raises(RecipeError, match="with a tiny model"):
        check_recipe({**document, "model": {"kind": "tiny"}})


def test_another_projects_model_is_not_offered(ada: Client, project: Project) -> None:
    model = a_model(a_project("Other", owner="eve"))
    assert "folder:small" not in ada.get(COMPOSE).content.decode()
    assert ada.get(f"/projects/team/new/?model={model.public_id}").status_code == 404
    assert check_recipe(pin_recipe(a_document(), project)).model.max_positions == 32768


@pytest.mark.parametrize(
    "model", [None, [], {"kind": "folder"}, {"kind": "folder", "folder": 3}, {"kind": "folder", "folder": "x\0"}]
)
def test_what_is_no_model_is_left_to_the_check(project: Project, model: Any) -> None:
    document = {"model": model, "stages": [3], "benchmarks": "no"}
    assert pin_recipe(document, project)["model"] == model

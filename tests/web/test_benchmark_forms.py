"""Tasks and metrics in the composer: added, filled in, kept through every round, refused in words beside the field."""

import html
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from runs.models import Project, Recipe
from tests.training.task_folders import write_tasks
from tests.web.page_forms import form_fields
from tests.web.some_runs import a_project, a_recipe
from workers.recipe_text import RecipeError, check_recipe, dump_recipe, load_recipe
from workers.spec import RecipeSpec, TaskBenchmarkSpec

pytestmark = pytest.mark.django_db
NEW = "/projects/team/new/"


@pytest.fixture
def project() -> Project:
    return a_project()


@pytest.fixture
def ada(project: Project, client: Client) -> Client:
    client.force_login(project.members.get())
    return client


@pytest.fixture
def own(settings: Any, tmp_path: Path) -> Path:
    settings.TASKS_DIRS = [tmp_path]
    return write_tasks(tmp_path / "team" / "own")


def press(client: Client, form: dict[str, str], op: str, **changes: str) -> str:
    answer = client.post(NEW, {**form, **changes, "op": op})
    return html.unescape(answer.content.decode())


def start(client: Client) -> tuple[dict[str, str], int]:
    """The form of a preset with an empty task more, and the task's position."""
    form = form_fields(client.get(NEW, {"preset": "tiny-cascade"}).content.decode())
    form = form_fields(press(client, form, "task-add"))
    (name,) = (name for name in form if name.startswith("benchmarks.") and name.endswith(".task"))
    return form, int(name.split(".")[1])


def test_a_task_is_added_filled_in_and_saved(ada: Client, project: Project, own: Path) -> None:
    form, at = start(ada)
    page = press(ada, form, "save")
    assert "expected the name of a task or group, as arc_easy" in page
    filled = {
        f"benchmarks.{at}.task": "small_choice",
        f"benchmarks.{at}.task_folder": "team/own",
        f"benchmarks.{at}.num_fewshot": "2",
        f"benchmarks.{at}.chat_template": "on",
    }
    answer = ada.post(NEW, {**form, **filled, "op": "save"})
    assert answer.status_code == 302, html.unescape(answer.content.decode())
    asked = Recipe.objects.get(project=project).spec.benchmarks[at]
    assert isinstance(asked, TaskBenchmarkSpec)
    assert asked == TaskBenchmarkSpec(
        task="small_choice", domain="small_choice", task_folder="team/own", num_fewshot=2, chat_template=True
    )
    as_yaml = press(ada, {**form, **filled}, "show:yaml")
    assert "task: small_choice" in as_yaml
    again = form_fields(press(ada, form_fields(as_yaml), "show:form"))
    assert again[f"benchmarks.{at}.num_fewshot"] == "2"
    assert f"benchmarks.{at}.task" not in form_fields(press(ada, again, f"task-remove:{at}"))


def test_a_new_task_is_found_no_fault_with_before_it_can_be_named(ada: Client) -> None:
    form = form_fields(ada.get(NEW, {"preset": "tiny-cascade"}).content.decode())
    words = "expected the name of a task or group"
    added = press(ada, form, "task-add")
    assert words not in added
    assert "Nothing yet: name the task you added" in added
    assert words in press(ada, form_fields(added), "check")


def test_what_a_folder_may_not_hold_stands_beside_the_field(ada: Client, own: Path) -> None:
    form, at = start(ada)
    (own / "utils.py").write_text("")
    page = press(
        ada, form, "save", **{f"benchmarks.{at}.task": "small_likely", f"benchmarks.{at}.task_folder": "team/own"}
    )
    assert "found the file utils.py, which is code" in page
    (own / "utils.py").unlink()
    page = press(
        ada, form, "save", **{f"benchmarks.{at}.task": "small_likely", f"benchmarks.{at}.task_folder": "team/own"}
    )
    assert "is perplexity, which has no upper end" in page
    page = press(
        ada, form, "save", **{f"benchmarks.{at}.task": "small_likely", f"benchmarks.{at}.task_folder": "team/none"}
    )
    assert "found no folder 'team/none'" in page
    assert not Recipe.objects.exists()


def test_a_metric_is_chosen_in_the_table(ada: Client, project: Project) -> None:
    form = form_fields(ada.get(NEW, {"preset": "tiny-cascade"}).content.decode())
    page = press(ada, form, "save", **{"benchmarks.0.metric": "pass", "benchmarks.0.k": "4"})
    assert "answers per problem, expected at least as many answers" in page
    changes = {"benchmarks.0.metric": "pass", "benchmarks.0.k": "2", "benchmarks.0.samples_per_problem": "4"}
    assert ada.post(NEW, {**form, **changes, "op": "save"}).status_code == 302
    first = Recipe.objects.get(project=project).spec.benchmarks[0].model_dump()
    assert (first["metric"], first["k"], first["samples_per_problem"]) == ("pass", 2, 4)


def with_task(**settings: Any) -> dict[str, Any]:
    document = a_recipe().model_dump(mode="json")
    return {**document, "benchmarks": [*document["benchmarks"], {"task": "MMLU-pro.math", **settings}]}


def test_a_task_in_a_document() -> None:
    spec = check_recipe(with_task())
    assert [benchmark.domain for benchmark in spec.benchmarks] == ["instructions", "stem", "mmlu-pro_math"]
    assert load_recipe(dump_recipe(spec)) == spec
    assert RecipeSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"domain": "stem"}, "benchmarks[2].domain", "found two benchmarks of 'stem'"),
        ({"domain": "tools"}, "benchmarks[2].domain", "which is a domain of its own"),
        ({"domain": "No Slug"}, "benchmarks[2].domain", "expected a lower-case letter"),
        ({"task_folder": "../up"}, "benchmarks[2].task_folder", "drop any '..'"),
        ({"n_problems": 8}, "benchmarks[2].n_problems", "found a field that does not exist"),
        ({"limit": 0}, "benchmarks[2].limit", "expected at least 1"),
        ({"max_response_tokens": 65}, "benchmarks[2].max_response_tokens", "expected at most 64"),
    ],
)
def test_a_task_that_cannot_be_says_where(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check_recipe(with_task(**changes))
    (problem,) = caught.value.problems
    assert problem.field == field
    assert words in problem.message


def test_no_stage_trains_on_a_task_or_chooses_a_teacher_by_it() -> None:
    document = with_task(domain="arc")
    document["stages"][1]["domains"] = {"arc": 1}
    with pytest.raises(RecipeError, match=r"'arc', which is a task .* nor a teacher to choose"):
        check_recipe(document)

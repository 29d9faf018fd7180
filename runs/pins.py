"""Pin data sets into a recipe: a plain document, before it is checked, gets the rows that its domains are to be. And its
judges are looked up among those that the server declares.

A name that is no domain of the catalogue is a data set of the project: the version that the document pins, or else the
newest. What the document says of its rows is looked up, never believed.
"""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from pydantic import ValidationError

from runs.data_sets import ready_versions
from runs.lm_tasks import check_task
from runs.models import DataSet, Project
from runs.presets import load_preset, preset_names
from runs.registered_models import pin_model
from workers.catalogue import DOMAINS
from workers.judges import undeclared
from workers.recipe_text import FieldProblem, RecipeError
from workers.spec import BenchmarkSpec, TaskBenchmarkSpec
from workers.task_spec import TaskError

_SIZES = {"n_problems": "test", "n_validation": "validation"}


def pin_recipe(document: object, project: Project) -> Any:
    """Give a document what it leaves to the project: rows of data sets, and what is known of a registered model. Raises RecipeError."""
    return pin_model(pin_data_sets(document, project), project)


def pin_data_sets(document: object, project: Project) -> Any:
    """Give a document's domains their rows, and its benchmarks no more problems than those have, where it says no number.

    Raises RecipeError for a version that the project does not have, for a judge that the server does not declare, and for
    a task that cannot be asked here. What has not the shape of a recipe is left as it is.
    """
    if not isinstance(document, dict):
        return document
    _check_judges(document)
    _check_tasks(document)
    given = document.get("data_sets") or {}
    if not isinstance(given, dict):
        return document
    named = [name for name in dict.fromkeys(_domains(document)) if name not in DOMAINS]
    known = ready_versions(project) if named or given else {}
    chosen = {name: _version(name, given.get(name), known[name]) for name in named if name in known}
    lost = {name: pin for name, pin in given.items() if name in named and name not in known}
    if lost:
        name = next(iter(lost))
        words = f"found data set '{name}', which this project does not have; {_remedy(name, lost[name])}, or drop it"
        raise RecipeError([FieldProblem(("data_sets", name), words, "unknown_data_set")])
    kept = {name: pin for name, pin in given.items() if not isinstance(pin, dict)}  # for the check to refuse
    pinned = {**document, "benchmarks": _sized(document.get("benchmarks"), chosen)}
    if document.get("benchmarks") is None:
        del pinned["benchmarks"]
    return {**pinned, "data_sets": {name: data_set.facts.pin() for name, data_set in chosen.items()} | kept}


def _check_judges(document: dict[str, Any]) -> None:
    rewards = [
        (("stages", position, "reward_model", "judge"), stage["reward_model"].get("judge"))
        for position, stage in enumerate(_items(document.get("stages")))
        if isinstance(stage, dict) and isinstance(stage.get("reward_model"), dict)
    ]
    named = [(("judge",), document.get("judge")), *rewards]
    found = [
        FieldProblem(path, f"{undeclared(name, settings.JUDGES)}; name another, or leave it out", "unknown_judge")
        for path, name in named
        if isinstance(name, str) and name not in settings.JUDGES
    ]
    if found:
        raise RecipeError(found)


def _remedy(name: str, pin: object) -> str:
    """Say how to come by rows; those of a preset ship with the product."""
    digest = pin.get("digest") if isinstance(pin, dict) else None
    for preset in preset_names():
        shipped = load_preset(preset).data_sets.get(name)
        if shipped is not None and shipped.digest == digest:
            return f"they are sample rows of the preset {preset}: choose it under New run (API: POST presets/{preset}/samples/)"
    return "register its rows here"


def _version(name: str, pin: object, versions: list[DataSet]) -> DataSet:
    digest = pin.get("digest") if isinstance(pin, dict) else None
    if not digest:
        return versions[0]
    found = next((data_set for data_set in versions if data_set.digest == digest), None)
    if found is None:
        words = (
            f"found rows {str(digest)[:12]} of data set '{name}', which this project does not have; leave the digest out to take "
            f"the newest version, v{versions[0].version}"
        )
        raise RecipeError([FieldProblem(("data_sets", name, "digest"), words, "unknown_data_set")])
    return found


def _domains(document: dict[str, Any]) -> Iterator[str]:
    """Name every domain of stages and benchmarks, as far as the document has their shape."""
    for stage in _dicts(document.get("stages")):
        for field in ("domains", "early_domains"):
            weights = stage.get(field)
            yield from (name for name in weights if isinstance(name, str)) if isinstance(weights, dict) else ()
    yield from (item["domain"] for item in _dicts(document.get("benchmarks")) if isinstance(item.get("domain"), str))


def _check_tasks(document: dict[str, Any]) -> None:
    for position, item in enumerate(_items(document.get("benchmarks"))):
        if not isinstance(item, dict) or "task" not in item:
            continue
        try:
            check_task(TaskBenchmarkSpec.model_validate(item))
        except TaskError as error:
            raise RecipeError([FieldProblem(("benchmarks", position, error.field), str(error), "bad_task")]) from None
        except ValidationError:
            continue  # for the check of the whole recipe to tell


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _items(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _sized(benchmarks: Any, chosen: dict[str, DataSet]) -> Any:
    if not isinstance(benchmarks, list | tuple):
        return benchmarks
    return [{**_sizes(item, chosen), **item} if isinstance(item, dict) else item for item in benchmarks]


def _sizes(benchmark: dict[str, Any], chosen: dict[str, DataSet]) -> dict[str, Any]:
    domain = benchmark.get("domain")
    return sizes_for(chosen[domain]) if isinstance(domain, str) and domain in chosen else {}


def sizes_for(data_set: DataSet) -> dict[str, int]:
    """How many problems a benchmark on a data set has where nobody says: the usual number, or all there are."""
    splits = data_set.facts.splits
    return {
        field: min(BenchmarkSpec.model_fields[field].default, splits.get(split, 0)) for field, split in _SIZES.items()
    }

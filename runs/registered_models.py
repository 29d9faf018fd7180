"""Registered models: which folders there are, registering one, and what recipes that name one must heed.

A process looks at a model (workers/training/models/inspect_model.py), started by a task like a trainer; the web reads names of
folders only. A recipe names the folder, so that it also works where nobody registered it; then nothing is known of the model
before the run starts.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.urls import reverse
from pydantic import ValidationError

from runs import audit, ready
from runs.lifecycle import OPEN, NotPossibleError
from runs.models import Project, RegisteredModel, Run, Stage, Status
from workers.model_dir import ModelDir, ModelFacts, ModelSourceSpec, homes_of, leads_out
from workers.recipe_text import FieldProblem, RecipeError
from workers.spec import FolderModelSpec
from workers.stage_dir import write_document

MAX_FOLDERS, MAX_DEPTH = 500, 3
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]{0,99}", re.ASCII)
_LARGEST = next(limit.le for limit in FolderModelSpec.model_fields["max_positions"].metadata if hasattr(limit, "le"))


class ModelError(ValueError):
    """A model that cannot be registered as asked; `field` is what to change."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


# Register and remove --------------------------------------------------------------------------------------------


def model_folders() -> list[str]:
    """Name the folders below MODELS_DIR that have a config.json, as recipes name them."""
    return sorted(_folders_in(Path(settings.MODELS_DIR)))[:MAX_FOLDERS]


def register_folder(*, project: Project, user: User, folder: str) -> tuple[RegisteredModel, bool]:
    """Queue the look at a folder below MODELS_DIR; whether it is new. Raises ModelError."""
    try:
        folder = FolderModelSpec(folder=folder).folder
    except ValidationError as error:
        words = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise ModelError("folder", words[:1].lower() + words[1:]) from None
    if not (Path(settings.MODELS_DIR) / folder / "config.json").is_file():
        known = ", ".join(model_folders()[:10]) or "there is none yet; put one there"
        raise ModelError("folder", f"found no model '{folder[:200]}' below MODELS_DIR, expected one of: {known}")
    return _add(project, user, folder)


def register_hub(*, project: Project, user: User, hub: str, revision: str = "") -> tuple[RegisteredModel, bool]:
    """Queue the download of a model and the look at it; whether it is new. Raises ModelError."""
    _insist_on_hub()
    if not _HUB_NAME.fullmatch(hub) or ".." in hub or "--" in hub:
        raise ModelError("hub", f"found '{hub[:200]}', expected owner/name, as in Qwen/Qwen3-0.6B")
    if revision and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise ModelError("revision", f"found '{revision[:100]}', expected a branch, a tag or a commit, or nothing")
    at = f"@{revision.replace('/', '--')}" if revision else ""
    return _add(project, user, hub.replace("/", "--") + at, hub=hub, revision=revision)


def _add(project: Project, user: User, folder: str, **source: str) -> tuple[RegisteredModel, bool]:
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # of two at once, the second finds the first
        found = RegisteredModel.objects.filter(project=project, folder=folder).first()
        if found is not None:
            return found, False
        added = RegisteredModel.objects.create(project=project, folder=folder, created_by=user, **source)
        address = reverse("models:detail", args=[project.slug, added.public_id])
        about = {"from": source.get("hub") or "MODELS_DIR"}
        audit.record(project, "model.registered", by=user, subject=str(added), url=address, after=about)
        transaction.on_commit(ready.tend_data)
    return added, True


def remove(model: RegisteredModel, *, by: User) -> None:
    """Forget a registration; weights and recipes stay. Raises NotPossibleError while a run that is not over trains the model."""
    if (run := unfinished_runs(model).first()) is not None:
        raise NotPossibleError(f"{run} is not over and trains {model}; cancel the run or wait for its end", "in_use")
    folder = folder_of(model).path
    with transaction.atomic():
        audit.record(model.project, "model.removed", by=by, subject=str(model), before={"digest": model.digest[:12]})
        model.delete()
        transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def unfinished_runs(model: RegisteredModel) -> Any:
    """The project's runs of this model that have something left to do."""
    open_stages = Stage.objects.filter(run=OuterRef("pk"), status__in=OPEN)
    return naming(Run.objects.filter(Exists(open_stages), project=model.project), model).order_by("-number")


def naming(documents: Any, model: RegisteredModel) -> Any:
    """Those of some recipes or runs whose base model it is."""
    return documents.filter(document__contains={"model": {"kind": "folder", "folder": model.folder}})


def _folders_in(root: Path) -> Iterator[str]:
    for path, folders, files in os.walk(root):  # links are not followed, so that none leads out or around
        depth = len(Path(path).relative_to(root).parts)
        folders[:] = [name for name in folders if not name.startswith(".")] if depth < MAX_DEPTH else []
        if depth and "config.json" in files:
            yield Path(path).relative_to(root).as_posix()
            folders.clear()
        elif not depth:
            yield from (
                name for name in folders if (root / name).is_symlink() and (root / name / "config.json").is_file()
            )


def _insist_on_hub() -> None:
    if not settings.ALLOW_HUB:
        raise ModelError(
            "hub",
            "this server downloads nothing; put the model's folder below MODELS_DIR and register it from there, or have the operator "
            "set CASCADE_ALLOW_HUB=1",
        )


# Read -----------------------------------------------------------------------------------------------------------


def folder_of(model: RegisteredModel) -> ModelDir:
    """Where the process that looks at a model works."""
    return ModelDir(Path(settings.ARTIFACTS_DIR) / "models" / model.public_id)


def write_source_spec(model: RegisteredModel) -> None:
    """Write the spec.json of a registration; raises ModelError where it would need a download that is not allowed any more."""
    if model.hub:
        _insist_on_hub()
    insist_on_own_files(model.folder)
    where = Path(settings.MODELS_DIR).absolute() / model.folder
    spec = ModelSourceSpec(folder=str(where), hub=model.hub, revision=model.revision)
    folder_of(model).path.mkdir(parents=True, exist_ok=True)
    write_document(folder_of(model).process.spec, spec)


def insist_on_own_files(folder: str) -> None:
    """Raise ModelError where a file of a model below MODELS_DIR is a link to somewhere else."""
    where = Path(settings.MODELS_DIR) / folder
    homes = homes_of(where, Path(settings.MODELS_DIR))
    if path := next((path for path in sorted(where.rglob("*")) if leads_out(path, homes)), None):
        raise ModelError(
            "folder",
            f"found '{path.relative_to(where)}' of the model '{folder}' to be a link that leads out of MODELS_DIR, which is not "
            "followed; put the file itself there, then retry",
        )


def ready_models(project: Project) -> dict[str, RegisteredModel]:
    """The models that were looked at, by folder."""
    found = RegisteredModel.objects.filter(project=project, status=Status.SUCCEEDED)
    return {model.folder: model for model in found.order_by("folder")}


def model_of(project: Project, document: dict[str, Any]) -> RegisteredModel | None:
    """Find what is known of the base model of a recipe or run; None where it is built by the run or nobody registered it."""
    model = document.get("model") or {}
    if model.get("kind") != "folder":
        return None
    return RegisteredModel.objects.filter(project=project, folder=model.get("folder"), status=Status.SUCCEEDED).first()


# What recipes must heed -----------------------------------------------------------------------------------------


def default_positions(facts: ModelFacts) -> int | None:
    """The longest prompt plus response where a recipe does not say: all that the model has."""
    return min(facts.context, _LARGEST) if facts.context else None


def pin_model(document: Any, project: Project) -> Any:
    """Give a document whose model is registered its longest prompt plus response, where it says none.

    Raises RecipeError for what the model cannot do. What has not the shape of a recipe is left as it is.
    """
    given = document.get("model") if isinstance(document, dict) else None
    if not isinstance(given, dict) or given.get("kind") != "folder" or not isinstance(given.get("folder"), str):
        return document
    if "\0" in given["folder"] or (model := model_of(project, document)) is None:
        return document
    if problems := [*_length_problems(given, model), *_thinking_problems(document, model)]:
        raise RecipeError(problems)
    positions = default_positions(model.facts)
    if given.get("max_positions") is not None or positions is None:
        return document
    return {**document, "model": {**given, "max_positions": positions}}


def _length_problems(given: dict[str, Any], model: RegisteredModel) -> Iterator[FieldProblem]:
    asked, context = given.get("max_positions"), model.facts.context
    if context and isinstance(asked, int) and asked > context:
        words = f"found max_positions {asked:,}, expected at most {context:,}, the context length of {model}; lower it, or leave it out"
        yield FieldProblem(("model", "max_positions"), words, "too_long_for_model")


def _thinking_problems(document: dict[str, Any], model: RegisteredModel) -> Iterator[FieldProblem]:
    """Name every stage and benchmark that sets a switch which the chat template does not have."""
    if model.facts.knows_thinking:
        return
    for kind in ("stages", "benchmarks"):
        listed = document.get(kind)
        for position, item in enumerate(listed if isinstance(listed, list | tuple) else ()):
            if isinstance(item, dict) and isinstance(item.get("thinking"), bool):
                words = (
                    f"found thinking {str(item['thinking']).lower()}, but the chat template of {model} has no such switch "
                    "(enable_thinking changes nothing); leave it out"
                )
                yield FieldProblem((kind, position, "thinking"), words, "no_thinking_switch")

"""The base model in the composer: the tiny one, a registered model with its facts, or any folder by its name."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from runs.models import RegisteredModel
from runs.pages.form_fields import FormField, Problems, fields_of, values_from
from runs.registered_models import default_positions
from runs.templatetags.humane import count
from workers.spec import FolderModelSpec, TinyModelSpec

Document = dict[str, Any]
Models = Mapping[str, RegisteredModel]  # by folder
MODEL_SPECS: dict[str, type[BaseModel]] = {"tiny": TinyModelSpec, "folder": FolderModelSpec}
_REGISTERED = "folder:"  # before the folder of a registered model, as the value of its option


def kind_field(model: Document, models: Models) -> FormField:
    """The pick of a base model; a document that names a registered folder has picked that."""
    kind, folder = str(model.get("kind", "tiny")), str(model.get("folder"))
    value = f"{_REGISTERED}{folder}" if kind == "folder" and folder in models else kind
    known = [(f"{_REGISTERED}{name}", f"{name}: {_in_short(found)}") for name, found in models.items()]
    choices = (("tiny", "tiny, built by the run"), *known, ("folder", "a folder, by its name"))
    return FormField("model.kind", "Base model", "choice", value, choices)


def model_fields(model: Document, problems: Problems) -> list[FormField]:
    """The settings of a base model."""
    return fields_of(MODEL_SPECS.get(str(model.get("kind")), TinyModelSpec), model, "model.", problems)


def picked(model: Document, models: Models) -> RegisteredModel | None:
    """The registered model that a document names."""
    return models.get(str(model.get("folder"))) if model.get("kind") == "folder" else None


def model_from(post: Mapping[str, str], models: Models) -> Document:
    """Read the base model; one that was just picked comes with its context length, and leaves the settings of another behind."""
    kind, was = post.get("model.kind", "tiny"), post.get("model.was", "")
    if kind.startswith(_REGISTERED):
        return _registered(post, kind.removeprefix(_REGISTERED), models)
    given = values_from(MODEL_SPECS.get(kind, TinyModelSpec), post, "model.")
    if kind == "folder" and was.startswith(_REGISTERED):  # another folder is wanted than the one that was picked before
        given = {}
    return {"kind": kind, **given}


def _registered(post: Mapping[str, str], folder: str, models: Models) -> Document:
    given = values_from(FolderModelSpec, post, "model.")
    if given.get("folder") == folder and "max_positions" in given:
        return {"kind": "folder", **given}
    positions = default_positions(models[folder].facts) if folder in models else None
    return {"kind": "folder", "folder": folder, **({"max_positions": positions} if positions else {})}


def _in_short(model: RegisteredModel) -> str:
    facts = model.facts
    context = f", {facts.context:,} tokens of context" if facts.context else ""
    return f"{count(facts.parameters)} parameters{context}"

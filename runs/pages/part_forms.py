"""Parts that a stage may have or not, as controls: a reward model, adapters. Each is a fold with a switch and its settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from runs.pages.form_fields import FormField, Problems, control_id, fields_of, values_from
from workers.catalogue import DOMAINS
from workers.spec import LoRASpec, RewardModelSpec

Document = dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """What a part is called, and what its switch says."""

    spec: type[BaseModel]
    title: str
    switch: str


_PARTS = {
    "reward_model": _Part(RewardModelSpec, "Reward model", "Train a reward model before the first step"),
    "lora": _Part(LoRASpec, "Adapters (LoRA)", "Train low-rank adapters instead of the weights"),
}


@dataclass(frozen=True)
class PartForm:
    """One part as controls; it has none but its switch where it is off. `why` says why it cannot be switched off."""

    name: str
    title: str
    switch: str
    is_on: bool
    why: str
    fields: list[FormField]

    @property
    def id(self) -> str:
        return control_id(self.name)

    @property
    def has_error(self) -> bool:
        return any(field.error for field in self.fields)


def part_forms(stage: Document, path: str, problems: Problems) -> list[PartForm]:
    """Make the controls of all parts that a stage may have; a reward model only where it has one or needs it."""
    kind, domains = str(stage.get("kind")), [str(domain) for domain in stage.get("domains") or {}]
    forms = []
    for name, part in _PARTS.items():
        why, given, where = _why(name, kind, domains), stage.get(name), f"{path}.{name}"
        if name == "reward_model" and given is None and not why:
            continue
        is_on = given is not None or bool(why)
        fields = fields_of(part.spec, given or {}, f"{where}.", problems) if is_on else []
        forms.append(PartForm(where, part.title, part.switch, is_on, why, fields))
    return forms


def parts_from(post: Mapping[str, str], prefix: str, kind: str, domains: list[str]) -> Document:
    """Read the parts that are switched on, or that the stage needs."""
    return {
        name: values_from(part.spec, post, f"{prefix}{name}.")
        for name, part in _PARTS.items()
        if f"{prefix}{name}.on" in post or _why(name, kind, domains)
    }


def _why(name: str, kind: str, domains: list[str]) -> str:
    """Say why a stage needs a part; empty where it may do without."""
    if name != "reward_model" or kind != "grpo" or not _is_learned(domains):
        return ""
    return "Trained before the first step: the reward of human preference is learned."


def _is_learned(domains: list[str]) -> bool:
    return any(domain in DOMAINS and DOMAINS[domain].learned_reward for domain in domains)

"""Parts that a stage may have or not, as controls: a reward model, adapters. Each is a fold with a switch and its settings.

A reward model is of one of several kinds: a pick, and the settings of the kind that is picked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from pydantic import BaseModel

from runs.pages.form_fields import FormField, Problems, control_id, fields_of, values_from
from workers.catalogue import DOMAINS
from workers.spec import FolderRewardSpec, JudgeRewardSpec, LoRASpec, RewardModelSpec

Document = dict[str, Any]
Choices = list[tuple[str, str]]


@dataclass(frozen=True)
class _Part:
    """What a part is called, what its switch says, and the kinds there are of it, the first where none is named."""

    specs: dict[str, type[BaseModel]]
    title: str
    switch: str
    kinds: tuple[tuple[str, str], ...] = ()
    about: str = ""

    def spec(self, kind: object) -> type[BaseModel]:
        return self.specs.get(str(kind), next(iter(self.specs.values())))


_PARTS = {
    "reward_model": _Part(
        {"trained": RewardModelSpec, "folder": FolderRewardSpec, "judge": JudgeRewardSpec},
        "Reward model",
        "Reward answers by a model where no grader can",
        (
            ("trained", "trained by the stage, before its first step"),
            ("folder", "read from a folder"),
            ("judge", "a judge that compares answers"),
        ),
        "Trained on pairs of a better and a worse answer, a classifier with one label below MODELS_DIR, or a judge that "
        "compares all pairs of a group.",
    ),
    "lora": _Part({"": LoRASpec}, "Adapters (LoRA)", "Train low-rank adapters instead of the weights"),
}


@dataclass(frozen=True)
class PartForm:
    """One part as controls; it has none but its switch where it is off. `why` says why it cannot be switched off."""

    name: str
    title: str
    switch: str
    is_on: bool
    why: str
    kind: FormField | None  # the pick of a kind, where there are several
    fields: list[FormField]

    @property
    def id(self) -> str:
        return control_id(self.name)

    @property
    def has_error(self) -> bool:
        return any(field.error for field in [*self.fields, *([self.kind] if self.kind else [])])


def part_forms(stage: Document, path: str, problems: Problems, judges: Choices) -> list[PartForm]:
    """Make the controls of all parts that a stage may have; a reward model only where it has one or may need it."""
    kind, domains = str(stage.get("kind")), [str(domain) for domain in stage.get("domains") or {}]
    forms = []
    for name, part in _PARTS.items():
        why, given, where = _why(name, kind, domains), stage.get(name), f"{path}.{name}"
        if name == "reward_model" and given is None and not why and not _may_be_learned(kind, domains):
            continue
        is_on = given is not None or bool(why)
        own = given if isinstance(given, dict) else {}
        spec, choices = part.spec(own.get("kind")), {"judge": judges} if name == "reward_model" else {}
        fields = fields_of(spec, own, f"{where}.", problems, **choices) if is_on else []
        pick = _kind_field(part, own, where, problems) if is_on and part.kinds else None
        forms.append(PartForm(where, part.title, part.switch, is_on, why, pick, fields))
    return forms


def _kind_field(part: _Part, given: Document, where: str, problems: Problems) -> FormField:
    kind = str(given.get("kind") or part.kinds[0][0])
    error = " ".join(filter(None, (problems.at(f"{where}.kind"), problems.at(where))))
    return FormField(f"{where}.kind", "Kind", "choice", kind, part.kinds, about=part.about, error=error)


def judge_choices(without: str) -> Choices:
    """The judges that the server declares, after the words for none of them."""
    return [("", without), *((name, f"{name} ({judge.model})") for name, judge in settings.JUDGES.items())]


def parts_from(post: Mapping[str, str], prefix: str, kind: str, domains: list[str]) -> Document:
    """Read the parts that are switched on, or that the stage needs."""
    found = {}
    for name, part in _PARTS.items():
        if f"{prefix}{name}.on" in post or _why(name, kind, domains):
            picked = post.get(f"{prefix}{name}.kind", "")
            kinds = {"kind": picked} if picked in dict(part.kinds) else {}
            found[name] = {**kinds, **values_from(part.spec(picked), post, f"{prefix}{name}.")}
    return found


def _why(name: str, kind: str, domains: list[str]) -> str:
    """Say why a stage needs a part; empty where it may do without."""
    if name != "reward_model" or kind != "grpo" or not _is_learned(domains):
        return ""
    return "The reward of human preference is learned: by a model that is trained before the first step, or one of another kind."


def _may_be_learned(kind: str, domains: list[str]) -> bool:
    """A team's rows may be about preference, which their rules say, not their names."""
    return kind == "grpo" and any(domain not in DOMAINS for domain in domains)


def _is_learned(domains: list[str]) -> bool:
    return any(domain in DOMAINS and DOMAINS[domain].learned_reward for domain in domains)

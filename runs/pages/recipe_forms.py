"""The composer's form: a recipe as controls, read back as a plain document, and changed by its buttons.

All state is in the form, so it works without a script. A document need not be valid: what a person typed is kept, and
what is wrong with it stands beside it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from runs.models import RegisteredModel
from runs.pages.benchmark_forms import (
    BenchmarkRow,
    TaskForm,
    apply_task_op,
    benchmark_columns,
    benchmark_rows,
    benchmarks_from,
    task_forms,
)
from runs.pages.data_choices import Versions, benchmarks_on, pins_from, trainable, version_fields
from runs.pages.form_fields import (
    FormField,
    Problems,
    control_id,
    fields_of,
    read_number,
    values_from,
    write_value,
)
from runs.pages.gate_forms import GateForm, apply_gate_op, gate_forms, gates_from
from runs.pages.model_choices import Models, kind_field, model_fields, model_from, picked
from runs.pages.part_forms import PartForm, judge_choices, part_forms, parts_from
from workers.catalogue import DOMAINS, describe
from workers.recipe_text import FieldProblem
from workers.spec import (
    BASE,
    BEST,
    GRPOSpec,
    MOPDSpec,
    RecipeSpec,
    SFTSpec,
)

Document = dict[str, Any]
STAGE_SPECS: dict[str, type[BaseModel]] = {"sft": SFTSpec, "grpo": GRPOSpec, "mopd": MOPDSpec}
_BAD_SHAPES = (
    {"not_a_recipe", "extra_forbidden", "model_type", "model_attributes_type", "dict_type", "tuple_type", "list_type"}
    | {"union_tag_invalid", "union_tag_not_found"}
)  # fmt: skip


@dataclass(frozen=True)
class DomainRow:
    """A domain that may be trained on: whether it is, and with which weight."""

    domain: str
    title: str
    is_on: bool
    weight: FormField


@dataclass(frozen=True)
class DomainGroup:
    """The mixing weights of a stage, a row for each domain."""

    name: str
    rows: list[DomainRow]
    error: str

    @property
    def id(self) -> str:
        return control_id(self.name)


@dataclass(frozen=True)
class StageForm:
    """One stage as controls."""

    position: int
    kind: str
    name: str
    domain: str  # the one it trains, for its mark; '' where there are several
    name_field: FormField
    start_field: FormField
    essentials: list[FormField]
    more: list[FormField]
    domains: DomainGroup
    early_domains: DomainGroup | None
    teachers: list[FormField]
    parts: list[PartForm]
    error: str
    is_first: bool
    is_last: bool

    @property
    def number(self) -> int:
        return self.position + 1

    @property
    def has_folded_error(self) -> bool:
        early = self.early_domains.rows if self.early_domains else []
        return any(field.error for field in [*self.more, *(row.weight for row in early)])


@dataclass(frozen=True)
class RecipeForm:
    """A whole recipe as controls."""

    fields: dict[str, FormField]
    model_kind: FormField
    model_fields: list[FormField]
    model: RegisteredModel | None  # the one that was picked, with what is known of it
    stages: list[StageForm]
    benchmarks: list[BenchmarkRow]
    benchmark_columns: list[tuple[str, str]]
    tasks: list[TaskForm]
    gates: list[GateForm]
    gates_error: str
    versions: list[FormField]  # of the data sets it names
    error: str

    @property
    def has_model_error(self) -> bool:
        return any(field.error for field in self.model_fields)


def can_be_a_form(document: object, problems: list[FieldProblem]) -> bool:
    """Say whether controls can hold a document without losing anything of it."""
    return isinstance(document, dict) and not any(problem.code in _BAD_SHAPES for problem in problems)


# A document as a form -------------------------------------------------------------------------------------------


def recipe_form(document: Document, problems: Problems, data_sets: Versions, models: Models) -> RecipeForm:
    """Make the controls of a document; every problem is taken by the control it belongs to, or else by what holds it."""
    model = document.get("model") or {"kind": "tiny"}
    top = fields_of(RecipeSpec, document, "", problems, judge=judge_choices("none"))
    own = trainable(data_sets)
    stages = [_stage_form(document, position, problems, own) for position in range(len(_stages(document)))]
    return RecipeForm(
        fields={field.name: field for field in top},
        model_kind=kind_field(model, models),
        model_fields=model_fields(model, problems),
        model=picked(model, models),
        stages=stages,
        benchmarks=benchmark_rows(document, problems, benchmarks_on(data_sets)),
        benchmark_columns=benchmark_columns(),
        tasks=task_forms(document, problems),
        gates=gate_forms(document, problems),
        gates_error=problems.at("gates"),
        versions=version_fields(document, data_sets, problems),
        error=problems.at("stages") or problems.at("benchmarks"),
    )


def _stages(document: Document) -> list[Document]:
    return document.get("stages") or []


def _stage_form(document: Document, position: int, problems: Problems, own: list[str]) -> StageForm:
    stage, path = _stages(document)[position], f"stages.{position}"
    kind = str(stage.get("kind"))
    fields = fields_of(
        STAGE_SPECS.get(kind, SFTSpec), stage, f"{path}.", problems, starts_from=_starts(document, position)
    )
    head = {field.name.rpartition(".")[2]: field for field in fields}
    domains = [str(domain) for domain in stage.get("domains") or {}]
    return StageForm(
        position=position,
        kind=kind,
        name=str(stage.get("name", "")),
        domain=domains[0] if len(domains) == 1 else "",
        name_field=head["name"],
        start_field=head["starts_from"],
        essentials=[
            field for field in fields if field.is_essential and field not in (head["name"], head["starts_from"])
        ],
        more=[field for field in fields if not field.is_essential],
        teachers=_teacher_fields(document, position, problems) if kind == "mopd" else [],
        parts=part_forms(stage, path, problems, judge_choices("the recipe's")),
        domains=_domain_group(stage.get("domains") or {}, f"{path}.domains", problems, own),
        early_domains=_domain_group(stage.get("early_domains") or {}, f"{path}.early_domains", problems, own)
        if kind == "sft"
        else None,
        error=problems.within(path),
        is_first=position == 0,
        is_last=position == len(_stages(document)) - 1,
    )


def _starts(document: Document, position: int) -> list[tuple[str, str]]:
    names = _names(document)[:position]
    before = f"{names[-1]}, the stage before" if names else "the base model"
    return [("", before), *((name, name) for name in reversed(names)), (BASE, "the base model, by name")]


def _names(document: Document) -> list[str]:
    return [str(stage.get("name", "")) for stage in _stages(document)]


def _domain_group(weights: Mapping[str, Any], path: str, problems: Problems, own: list[str]) -> DomainGroup:
    rows = [
        DomainRow(
            domain,
            describe(domain).title,
            domain in weights,
            FormField(
                f"{path}.{domain}",
                f"Weight of {domain}",
                "number",
                write_value(weights.get(domain, 1)),
                error=problems.at(f"{path}.{domain}"),
            ),
        )
        for domain in dict.fromkeys([*DOMAINS, *own, *weights])
    ]
    return DomainGroup(path, rows, problems.at(path))


def _teacher_fields(document: Document, position: int, problems: Problems) -> list[FormField]:
    """A pick for each domain; the value of 'best' is '' unless the document says it, so that reading back changes nothing."""
    stage, earlier = _stages(document)[position], _names(document)[:position]
    teachers: Document = stage.get("teachers") or {}
    fields = []
    for domain in dict.fromkeys([*(stage.get("domains") or {}), *teachers]):
        value, name = str(teachers.get(domain, "")), f"stages.{position}.teachers.{domain}"
        best = BEST if value == BEST else ""
        choices = [(best, "the best checkpoint"), *((other, other) for other in reversed(earlier)), (BASE, "base")]
        if value not in [choice for choice, _ in choices]:
            choices.append((value, f"{value}: not an earlier stage"))
        title = describe(domain).title
        fields.append(FormField(name, title, "choice", value, tuple(choices), error=problems.at(name)))
    return fields


# A form as a document -------------------------------------------------------------------------------------------


def document_from_post(post: Mapping[str, str], models: Models) -> Document:
    """Read the form as a plain document, valid or not; a stage that was renamed keeps those that name it."""
    document = values_from(RecipeSpec, post, "")
    document["model"] = model_from(post, models)
    positions = _positions(post, r"stages\.(0|[1-9][0-9]{0,2})\.kind")
    document["stages"] = [_stage_from(post, position) for position in positions]
    old_names = [post.get(f"stages.{position}.was", "") for position in positions]
    renamed = _renamed(document["stages"], old_names)
    _follow_renames(document["stages"], renamed)
    document["benchmarks"] = benchmarks_from(post)
    document["gates"] = gates_from(post, renamed)
    if pins := pins_from(post):
        document["data_sets"] = pins
    return document


def _positions(post: Mapping[str, str], pattern: str) -> list[int]:
    found = (re.fullmatch(pattern, name) for name in post)
    return sorted(int(match[1]) for match in found if match)


def _stage_from(post: Mapping[str, str], position: int) -> Document:
    prefix = f"stages.{position}."
    kind = post[f"{prefix}kind"]
    spec = STAGE_SPECS.get(kind, SFTSpec)
    plain = values_from(spec, post, prefix)
    stage: Document = {"kind": kind, "name": plain.pop("name", "")}
    if "starts_from" in plain:
        stage["starts_from"] = plain.pop("starts_from")
    stage["domains"] = _weights_from(post, f"{prefix}domains.")
    if kind == "mopd":
        stage["teachers"] = _teachers_from(post, f"{prefix}teachers.", stage["domains"])
    stage |= plain
    if kind == "sft":
        stage["early_domains"] = _weights_from(post, f"{prefix}early_domains.")
    return stage | parts_from(post, prefix, kind, list(stage["domains"]))


def _weights_from(post: Mapping[str, str], prefix: str) -> Document:
    on = [name[len(prefix) : -len(".on")] for name in post if name.startswith(prefix) and name.endswith(".on")]
    return {domain: read_number(post.get(f"{prefix}{domain}", "")) for domain in on}


def _teachers_from(post: Mapping[str, str], prefix: str, domains: Document) -> dict[str, str]:
    named = {name[len(prefix) :]: value for name, value in post.items() if name.startswith(prefix) and value}
    return {domain: teacher for domain, teacher in named.items() if domain in domains}


def _renamed(stages: list[Document], old_names: list[str]) -> dict[str, str]:
    return {old: stage["name"] for old, stage in zip(old_names, stages, strict=True) if old and old != stage["name"]}


def _follow_renames(stages: list[Document], renamed: Mapping[str, str]) -> None:
    """Let starts_from and teachers follow a stage that got a new name."""
    for stage in stages:
        if stage.get("starts_from") in renamed:
            stage["starts_from"] = renamed[stage["starts_from"]]
        if "teachers" in stage:
            stage["teachers"] = {domain: renamed.get(name, name) for domain, name in stage["teachers"].items()}


# What the buttons do --------------------------------------------------------------------------------------------


def apply_op(document: Document, op: str) -> int | None:
    """Do what a button says, as up:2, add:grpo or gate-add; returns the position of the stage to look at next."""
    verb, _, argument = op.partition(":")
    stages = document["stages"]
    if verb in ("gate-add", "gate-remove"):
        apply_gate_op(document["gates"], verb.removeprefix("gate-"), argument)
        return None
    if verb in ("task-add", "task-remove"):
        apply_task_op(document["benchmarks"], verb.removeprefix("task-"), argument)
        return None
    if verb == "add" and argument in STAGE_SPECS:
        stages.append(_new_stage(argument, document))
        return len(stages) - 1
    position = next((place for place in range(len(stages)) if str(place) == argument), None)
    if position is None:
        return None
    if verb in ("up", "down"):
        target = position + (1 if verb == "down" else -1)
        if not 0 <= target < len(stages):
            return position
        stages[position], stages[target] = stages[target], stages[position]
        return target
    if verb == "duplicate":
        copy = {**stages[position], "name": _free_name(str(stages[position]["name"]), document)}
        stages.insert(position + 1, copy)
        return position + 1
    if verb == "remove":
        del stages[position]
        return min(position, len(stages) - 1) if stages else None
    return None


def _new_stage(kind: str, document: Document) -> Document:
    """A stage to start from: settings of the last one of its kind, else such as worked for that size of model."""
    alike = [stage for stage in document["stages"] if stage["kind"] == kind]
    if alike:
        return {**alike[-1], "name": _free_name(str(alike[-1]["name"]), document), "starts_from": None}
    is_tiny = document["model"]["kind"] == "tiny"
    steps, rate = {
        ("sft", True): (600, 4e-3),
        ("grpo", True): (60, 5e-4),
        ("mopd", True): (30, 3e-4),
        ("sft", False): (1000, 5e-5),
        ("grpo", False): (100, 3e-6),
        ("mopd", False): (52, 3e-6),
    }[kind, is_tiny]
    domains = ["instructions"] if kind == "grpo" else list(DOMAINS)
    stage: Document = {"kind": kind, "name": _free_name(kind, document), "domains": dict.fromkeys(domains, 1)}
    stage |= {"steps": steps, "learning_rate": rate}
    if kind != "sft":
        stage |= {"prompts_per_step": 16 if is_tiny else 128, "max_response_tokens": 16 if is_tiny else 8192}
    return stage


def _free_name(name: str, document: Document) -> str:
    taken = set(_names(document))
    stem = re.sub(r"_\d+$", "", name)[:36] or "stage"
    return next(free for free in [name, *(f"{stem}_{n}" for n in range(2, 1000))] if free not in taken)

"""Benchmarks in the composer: a line for each domain and data set, and a box for each task of the lm-evaluation-harness."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from runs.pages.form_fields import FormField, Problems, control_id, fields_of, label_of, plain_settings, values_from
from workers.catalogue import DOMAINS, describe
from workers.spec import BenchmarkSpec, TaskBenchmarkSpec

Document = dict[str, Any]


@dataclass(frozen=True)
class BenchmarkRow:
    """A benchmark as controls; a domain without one has a row to switch it on."""

    position: int
    domain: str
    title: str
    is_on: bool
    fields: list[FormField]
    error: str


@dataclass(frozen=True)
class TaskForm:
    """A task as controls."""

    position: int
    title: str
    essentials: list[FormField]
    more: list[FormField]
    error: str

    @property
    def id(self) -> str:
        return control_id(f"benchmarks.{self.position}")

    @property
    def has_folded_error(self) -> bool:
        return any(field.error for field in self.more)


def benchmark_columns() -> list[tuple[str, str]]:
    """Head the settings of a benchmark: label and what it is about."""
    return [
        (label_of(name), info.description or "") for name, info in plain_settings(BenchmarkSpec) if name != "domain"
    ]


def benchmark_rows(document: Document, problems: Problems, own: list[Document]) -> list[BenchmarkRow]:
    """Make a row for each benchmark on a domain, and for each domain that could have one."""
    given = _given(document)
    domains = [str(benchmark.get("domain", "")) for benchmark in given]
    possible = [*({"domain": domain} for domain in DOMAINS), *own]
    missing = [benchmark for benchmark in possible if benchmark["domain"] not in domains]
    return [
        BenchmarkRow(
            position=position,
            domain=(domain := str(benchmark.get("domain", ""))),
            title=describe(domain).title,
            is_on=position < len(given),
            fields=fields_of(BenchmarkSpec, benchmark, f"benchmarks.{position}.", problems)[1:],
            error=problems.within(f"benchmarks.{position}"),
        )
        for position, benchmark in enumerate([*given, *missing])
        if "task" not in benchmark
    ]


def task_forms(document: Document, problems: Problems) -> list[TaskForm]:
    """Make a box for each task; its place in the document is its position there."""
    return [
        _task_form(position, benchmark, problems)
        for position, benchmark in enumerate(_given(document))
        if "task" in benchmark
    ]


def _task_form(position: int, benchmark: Document, problems: Problems) -> TaskForm:
    fields = fields_of(TaskBenchmarkSpec, benchmark, f"benchmarks.{position}.", problems)
    return TaskForm(
        position=position,
        title=str(benchmark.get("task") or "new task"),
        essentials=[field for field in fields if field.is_essential],
        more=[field for field in fields if not field.is_essential],
        error=problems.within(f"benchmarks.{position}"),
    )


def _given(document: Document) -> list[Document]:
    given = document.get("benchmarks")
    return [{"domain": domain} for domain in DOMAINS] if given is None else given


def benchmarks_from(post: Mapping[str, str]) -> list[Document]:
    """Read the benchmarks that are switched on, and the tasks."""
    found = (re.fullmatch(r"benchmarks\.(0|[1-9][0-9]{0,2})\.on", name) for name in post)
    positions = sorted(int(match[1]) for match in found if match)
    return [document for position in positions if (document := _benchmark_from(post, f"benchmarks.{position}."))]


def _benchmark_from(post: Mapping[str, str], prefix: str) -> Document:
    if f"{prefix}task" in post:
        spec: type[BaseModel] = TaskBenchmarkSpec
        return {"task": "", **values_from(spec, post, prefix)}
    if f"{prefix}domain" not in post:
        return {}
    return {"domain": post[f"{prefix}domain"], **values_from(BenchmarkSpec, post, prefix)}


def apply_task_op(benchmarks: list[Document], verb: str, argument: str) -> None:
    """Add an empty task, or remove the benchmark at a position."""
    if verb == "add":
        benchmarks.append({"task": ""})
    elif argument.isdecimal() and len(argument) < 4 and int(argument) < len(benchmarks):
        del benchmarks[int(argument)]

"""Who should teach which domain, and the way from there to a recipe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from runs.drift import ColumnInfo, RowInfo, words
from runs.drift.teachers import TeacherChoice, cheapest_teachers
from runs.models import Run
from runs.pages.recipe_forms import apply_op
from runs.report import DriftReport
from workers.spec import BASE


@dataclass(frozen=True)
class TeacherLine:
    """One domain's best checkpoint, and how surely it is the best."""

    column: ColumnInfo
    row: RowInfo
    score: str
    second: str
    margin: str
    is_tie: bool
    cheapest: RowInfo

    @property
    def only_domain(self) -> str:
        """The one domain the checkpoint's stage trains, which lends the mark its hue; empty where there are several."""
        return self.row.domains[0] if len(self.row.domains) == 1 else ""


def teachers_view(report: DriftReport, run: Run) -> dict[str, Any]:
    """Show the best checkpoint of every domain by validation scores, and the smallest set that is as good within noise."""
    cheapest = cheapest_teachers(report.validation)
    best = {domain: choice.row for domain, choice in report.best.items()}
    columns = {column.domain: column for column in report.validation.columns}
    return {
        "lines": [_line(report, columns[domain], choice, cheapest[domain]) for domain, choice in report.best.items()],
        "n_best": len(set(best.values())),
        "cheapest": [
            (report.matrix.row(row), words.listed([columns[d].title for d, r in cheapest.items() if r == row]))
            for row in dict.fromkeys(cheapest.values())
        ],
        "best_url": _compose_url(run, best),
        "cheapest_url": _compose_url(run, cheapest),
    }


def asked_teachers(query: QueryDict) -> dict[str, str]:
    """Read teacher=domain:row, as often as it is given."""
    return {domain: row for text in query.getlist("teacher") for domain, _, row in [text.partition(":")]}


def with_teachers(document: dict[str, Any], teachers: Mapping[str, str]) -> None:
    """Let the last MOPD stage of a recipe's document learn from these teachers, or a new one where that comes too early.

    A new stage learns what is taught and nothing else: the recipe may score no other domain.
    """
    stages = document["stages"]
    last = next((at for at in reversed(range(len(stages))) if stages[at]["kind"] == "mopd"), None)
    if last is not None and {BASE, *(stage["name"] for stage in stages[:last])}.issuperset(teachers.values()):
        domains = {**dict.fromkeys(teachers, 1), **stages[last]["domains"]}
        stages[last] = {**stages[last], "domains": domains, "teachers": dict(teachers)}
        return
    new = apply_op(document, "add:mopd")
    assert new is not None
    domains = {domain: stages[new]["domains"].get(domain, 1) for domain in teachers}
    stages[new] = {**stages[new], "domains": domains, "teachers": dict(teachers)}


def _line(report: DriftReport, column: ColumnInfo, choice: TeacherChoice, cheapest: str) -> TeacherLine:
    cell = report.validation.cell(choice.row, column.domain)
    assert cell is not None
    second = report.matrix.row(choice.runner_up).title if choice.runner_up else ""
    return TeacherLine(
        column=column,
        row=report.matrix.row(choice.row),
        score=words.cell(cell),
        second=second,
        margin=words.change(choice.margin) if choice.margin is not None else "",
        is_tie=choice.is_tie,
        cheapest=report.matrix.row(cheapest),
    )


def _compose_url(run: Run, teachers: Mapping[str, str]) -> str:
    """Ask for a recipe with these teachers; a task has nothing that a stage could learn from a teacher on."""
    tasks = {benchmark["domain"] for benchmark in run.benchmarks if "task" in benchmark}
    taught = [(domain, row) for domain, row in teachers.items() if domain not in tasks]
    query = [("run", str(run.number)), *(("teacher", f"{domain}:{row}") for domain, row in taught)]
    return f"{reverse('runs:new', args=(run.project.slug,))}?{urlencode(query)}"

"""Benchmarks added to a run later: beside its recipe, which stays frozen, and scored in the background.

What is added is checked as a recipe's benchmark is, pinned to the rows that it asks, and from then on frozen too: a column of
the matrix, a domain of drift and comparisons. Asking again with the same document queues what is not scored yet, so one
call may be repeated at will.
"""

import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from runs import audit, ingest, lifecycle
from runs.lifecycle import NotPossibleError
from runs.models import AddedBenchmark, AddedScoring, Checkpoint, Project, Role, Run, Score, Status
from runs.pins import pin_recipe
from workers.recipe_text import FieldProblem, RecipeError, check_recipe
from workers.spec import BASE, RecipeSpec
from workers.task_spec import name_in_matrices

ASK = Role.RUNNER
MOST = 32  # added benchmarks of one run


def add_benchmark(run: Run, document: object, *, rows: Sequence[str] | None, by: User) -> AddedBenchmark:
    """Add a benchmark to a run, if it is new, and queue the checkpoints of some rows that are not scored on it.

    rows: None for all that have weights. Raises RecipeError for a benchmark that cannot be asked, whose paths begin with
    'benchmark', or for rows that there are not; NotPossibleError where another benchmark of that domain is there.
    """
    if run.published:
        raise NotPossibleError(
            f"the results of {run} were published elsewhere; there are no weights to score", "no_weights"
        )
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(
            pk=run.project_id
        )  # its rows stay until they are pinned here
        spec, pins = _checked(run, document)
        checkpoints = _chosen(run, rows)
        Run.objects.select_for_update(no_key=True).get(pk=run.pk)  # of two who add at once, the second sees the first's
        added, is_new = _find_or_add(run, spec, pins, by)
        queued = [str(one) for one in checkpoints if lifecycle.queue_added_scoring(one, added, by=by)]
        if is_new or queued:
            audit.record(
                run.project,
                "benchmark.added",
                by=by,
                subject=f"{added.domain} in {run}",
                url=reverse("runs:drift", args=(run.project.slug, run.number)),
                after={"benchmark": added.domain, "checkpoints": queued},
            )
    return added


def remove_benchmark(added: AddedBenchmark, *, by: User) -> None:
    """Take back an added benchmark that has no score yet; raises NotPossibleError where it has one, or is being scored."""
    run = added.run
    with transaction.atomic():
        Run.objects.select_for_update(no_key=True).get(pk=run.pk)
        scorings = list(added.scorings.select_for_update(of=("self",)).select_related("checkpoint__stage", "benchmark"))
        if any(one.status == Status.RUNNING for one in scorings):
            raise NotPossibleError(f"'{added.domain}' is being scored; wait for that to end", "in_progress")
        if Score.objects.filter(checkpoint__run=run, benchmark__domain=added.domain).exists():
            raise NotPossibleError(
                f"'{added.domain}' has scores, which stay; add a task under another domain instead", "has_scores"
            )
        audit.record(run.project, "benchmark.removed", by=by, subject=f"{added.domain} in {run}", before=added.document)
        for one in scorings:
            transaction.on_commit(partial(shutil.rmtree, ingest.added_folder(one).path, ignore_errors=True))
        added.delete()


def score_missing(run: Run, row: str, *, by: User) -> list[str]:
    """Queue the checkpoint of a row for every added benchmark that it is not scored on; names those that were queued."""
    checkpoint = addable_rows(run).get(row)
    if checkpoint is None:
        return []
    with transaction.atomic():
        return [
            added.domain
            for added in run.added_benchmarks.all()
            if lifecycle.queue_added_scoring(checkpoint, added, by=by)
        ]


def addable_rows(run: Run) -> dict[str, Checkpoint]:
    """The checkpoints that can be scored now, by their row of the matrix."""
    return {_row(one): one for one in run.ends if one.has_weights and _is_made(one)}


def scorings_of(run: Run) -> list[AddedScoring]:
    """The scorings of a run on what was added, the benchmarks in the order in which they were."""
    return list(
        run.added_scorings.select_related("benchmark", "checkpoint__stage", "asked_by").order_by(
            "benchmark", "checkpoint"
        )
    )


def _checked(run: Run, document: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a benchmark by the rules of the run's recipe; returns its document in full and the rows that it is pinned to."""
    if not isinstance(document, dict):
        raise _problem((), "expected a mapping such as {domain: stem} or {task: arc_easy}; write one")
    known = {name: {"digest": pin["digest"]} for name, pin in run.data_set_pins.items()}
    try:
        asked = {"model": run.document["model"], "benchmarks": [document], "data_sets": known}
        pinned = pin_recipe(asked, run.project)
        others = [other for other in run.benchmarks if not _is_same_domain(other, document)]
        whole = {**run.document, "benchmarks": [*others, *pinned["benchmarks"]], "gates": []}
        spec = check_recipe({**whole, "data_sets": {**run.data_set_pins, **pinned["data_sets"]}})
    except RecipeError as error:
        raise RecipeError([_as_one(problem) for problem in error.problems]) from None
    checked = spec.benchmarks[-1].model_dump(mode="json")
    return checked, _pins(spec, checked["domain"])


def _is_same_domain(other: dict[str, Any], document: dict[str, Any]) -> bool:
    task = document.get("task")
    domain = document.get("domain") or (name_in_matrices(task) if isinstance(task, str) else None)
    return bool(other["domain"] == domain)


def _pins(spec: RecipeSpec, domain: str) -> dict[str, Any]:
    return {name: pin.model_dump(mode="json") for name, pin in spec.data_sets.items() if name == domain}


def _as_one(problem: FieldProblem) -> FieldProblem:
    """Say of one benchmark what was said of a list of them."""
    path = problem.path
    inside = path[2:] if len(path) > 1 and path[0] == "benchmarks" else path
    return FieldProblem(("benchmark", *inside), problem.message, problem.code)


def _problem(path: tuple[str | int, ...], words: str, *, field: str = "benchmark") -> RecipeError:
    return RecipeError([FieldProblem((field, *path), words, "rule")])


def _find_or_add(run: Run, document: dict[str, Any], pins: dict[str, Any], by: User) -> tuple[AddedBenchmark, bool]:
    domain = document["domain"]
    if any(asked["domain"] == domain for asked in run.document["benchmarks"]):
        raise NotPossibleError(
            f"'{domain}' is a benchmark of the recipe of {run}, and one domain has one benchmark; score what is missing from its "
            "cells, give a task another domain, or start a new run",
            "is_in_recipe",
        )
    found = run.added_benchmarks.filter(domain=domain).first()
    if found is None:
        if run.added_benchmarks.count() >= MOST:
            raise NotPossibleError(f"{run} has {MOST} added benchmarks, which is the most; start a new run", "too_many")
        added = AddedBenchmark.objects.create(run=run, domain=domain, document=document, data_sets=pins, added_by=by)
        return added, True
    if (found.document, found.data_sets) != (document, pins):
        raise NotPossibleError(
            f"another benchmark of '{domain}' was added to {run} already, with other settings; its scores would not be comparable: "
            "ask with the same settings, or give a task another domain",
            "another_benchmark",
        )
    return found, False


def _chosen(run: Run, rows: Iterable[str] | None) -> list[Checkpoint]:
    possible = addable_rows(run)
    wanted = list(dict.fromkeys(possible if rows is None else rows))
    if missing := [row for row in wanted if row not in possible]:
        known = ", ".join(possible) or "none has weights yet"
        raise _problem((), f"found row '{missing[0][:80]}', expected a checkpoint with weights: {known}", field="rows")
    if not wanted:
        raise _problem(
            (), "found no checkpoint, expected at least one with weights; name a row, or wait for one", field="rows"
        )
    return [possible[row] for row in wanted]


def _row(checkpoint: Checkpoint) -> str:
    return checkpoint.stage.name if checkpoint.stage else BASE


def _is_made(checkpoint: Checkpoint) -> bool:
    return checkpoint.stage is None or checkpoint.stage.status == Status.SUCCEEDED  # else it is being made anew

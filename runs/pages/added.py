"""Benchmarks added to a run, on its drift page: what was added and how far it is scored, and a form for one more."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from runs import added, lifecycle
from runs.data_sets import ready_versions
from runs.models import AddedScoring, Run, Status
from runs.pages.data_choices import benchmarks_on
from runs.pages.find import find_run
from runs.pages.form_fields import label_of, read_number
from runs.pages.run_words import remedy
from runs.pages.words import refusals_told
from workers.catalogue import DOMAINS, describe
from workers.recipe_text import FieldProblem, RecipeError, read_document

_LONGEST = 2000  # characters of a field that are kept
_TEXTS, _NUMBERS = ("domain", "task", "task_folder", "metric"), ("n_problems", "limit")


@dataclass(frozen=True)
class AddedView:
    """One added benchmark: how many checkpoints are scored on it, and what keeps the others."""

    domain: str
    title: str
    by: str
    text: str
    failures: list[tuple[AddedScoring, str]]  # with what to do about each
    can_go_on: bool  # checkpoints are left that nobody asked for, or that failed
    can_be_removed: bool


def added_section(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Say what was added, and what may be; a form that was refused comes once more, with why."""
    known = list(run.added_benchmarks.all())
    scorings = added.scorings_of(run) if known else []
    who = (
        dict(User.objects.filter(pk__in=[one.added_by_id for one in known]).values_list("pk", "username"))
        if known
        else {}
    )
    rows = {} if run.published else added.addable_rows(run)
    asked = {benchmark["domain"] for benchmark in run.benchmarks}
    own = [benchmark["domain"] for benchmark in benchmarks_on(ready_versions(run.project))]
    return {
        "added": [
            _view(one.domain, who[one.added_by_id], [s for s in scorings if s.benchmark_id == one.pk], len(rows))
            for one in known
        ],
        "addable": [(name, describe(name).title) for name in [*DOMAINS, *own] if name not in asked],
        "addable_rows": list(rows),
        "refused": request.session.pop(_refused_key(run), None),
        "may_be_added_to": bool(rows),
        "is_adding": any(scoring.status in lifecycle.OPEN for scoring in scorings),
    }


@require_POST
def add(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Add a benchmark and queue what it is to score; `again` names one that is there."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=added.ASK)
    try:
        document, rows = _asked(request, run)
        with refusals_told(request):
            found = added.add_benchmark(run, document, rows=rows, by=request.user)
            n_open = found.scorings.filter(status__in=lifecycle.OPEN).count()
            messages.success(request, f"{found.domain}: {n_open} checkpoint{'' if n_open == 1 else 's'} to score.")
            return redirect(f"{reverse('runs:drift', args=(slug, number))}#added-{found.domain}")
    except RecipeError as error:
        keep_refused(request, run, error.problems[0])
    return redirect(f"{reverse('runs:drift', args=(slug, number))}#added")


@require_POST
def remove(request: HttpRequest, slug: str, number: int, domain: str) -> HttpResponse:
    """Take back an added benchmark without scores."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=added.ASK)
    with refusals_told(request):
        added.remove_benchmark(get_object_or_404(run.added_benchmarks, domain=domain), by=request.user)
        messages.success(request, f"The benchmark {domain} is removed.")
    return redirect(f"{reverse('runs:drift', args=(slug, number))}#added")


def keep_refused(request: HttpRequest, run: Run, problem: FieldProblem) -> None:
    """Keep what was filled in for the page that follows, and say what is wrong with it."""
    given = {name: request.POST.get(name, "")[:_LONGEST] for name in (*_TEXTS, *_NUMBERS, "more")}
    if not given["domain"] and not given["task"].strip():
        words = "Choose a domain or data set, or name a task of lm-eval."
    else:
        words = f"{label_of(str(problem.path[-1])) if problem.path else 'More settings'}: {problem.message}."
    request.session[_refused_key(run)] = {**given, "rows": request.POST.getlist("rows")[:100], "words": words}


def _refused_key(run: Run) -> str:
    return f"refused benchmark of {run.public_id}"


def _asked(request: HttpRequest, run: Run) -> tuple[object, list[str] | None]:
    """Read the form: its fields, over what is written as YAML."""
    if again := request.POST.get("again"):
        return next((one.document for one in run.added_benchmarks.all() if one.domain == again), None), None
    more, _ = read_document(request.POST.get("more", ""))
    document: dict[str, Any] = dict(more) if isinstance(more, dict) else {}
    document |= {name: text for name in _TEXTS if (text := request.POST.get(name, "").strip())}
    document |= {
        name: read_number(text, whole=True) for name in _NUMBERS if (text := request.POST.get(name, "").strip())
    }
    return document, request.POST.getlist("rows")


def _view(domain: str, by: str, scorings: list[AddedScoring], n_rows: int) -> AddedView:
    count = {status: sum(s.shown_status == status for s in scorings) for status in Status}
    words = [f"{count[Status.SUCCEEDED]} of {n_rows} checkpoints scored"]
    words += [f"{count[s]} {s.label}" for s in (Status.RUNNING, Status.STALE, Status.QUEUED, Status.FAILED) if count[s]]
    words += [f"{s.checkpoint}: {s.substep}" for s in scorings if s.shown_status == Status.RUNNING and s.substep]
    failed = [s for s in scorings if s.status == Status.FAILED]
    is_open = any(s.status in lifecycle.OPEN for s in scorings)
    return AddedView(
        domain=domain,
        title=describe(domain).title,
        by=by,
        text=", ".join(words),
        failures=[(s, remedy(s.failure_code)) for s in failed],
        can_go_on=not is_open and count[Status.SUCCEEDED] < n_rows,
        can_be_removed=not count[Status.SUCCEEDED] and not any(s.status == Status.RUNNING for s in scorings),
    )

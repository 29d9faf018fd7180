"""Published results beside a run's scores: which are shown, as rows below the matrix and lines across the curves."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runs.access import project_for
from runs.drift import words
from runs.exchange.published_links import NONE, Beside, LinkError, beside, link, linkable, models_beside
from runs.exchange.reference_data import (
    POINTS,
    PublishedBenchmark,
    PublishedModel,
    published_benchmarks,
    published_models,
)
from runs.models import Role, Run
from runs.pages.drift_view import DriftView
from runs.pages.find import find_run
from runs.pages.words import sentence

PARAMETER = "published"  # in the address, once for each model that is shown
_BY_NAME, _NONE = "", "none"  # values of the pick


@dataclass(frozen=True)
class PublishedCell:
    """What was published beside one benchmark of the run; text and about are empty where nothing was."""

    title: str  # of the run's benchmark
    text: str = ""
    about: str = ""


@dataclass(frozen=True)
class PublishedRow:
    """What was published of one model, in the columns of the matrix."""

    model: PublishedModel
    cells: list[PublishedCell]


@dataclass(frozen=True)
class PublishedView:
    """All that the drift page shows of published results."""

    rows: list[PublishedRow]
    levels: dict[str, dict[str, float]]  # short name -> domain -> 0 to 1
    models: list[tuple[PublishedModel, bool]]  # those with a result in some column, and whether they are shown
    links: list[Beside]

    @property
    def key(self) -> str:
        """Differs where the lines do; empty where there are none."""
        return hashlib.sha256(json.dumps(self.levels).encode()).hexdigest()[:8] if self.levels else ""

    @property
    def is_linked(self) -> bool:
        return any(found.benchmarks for found in self.links)


def published_view(run: Run, view: DriftView) -> PublishedView:
    """Find what stands beside a run's scores. Without a choice in the address, the papers' own models are shown."""
    links = beside(run)
    asked = view.query.getlist(PARAMETER) if PARAMETER in view.query else None
    able = [model for model in models_beside(run) if any(_value(model, found) is not None for found in links)]
    models = [(model, model.is_own if asked is None else model.name in asked) for model in able]
    rows = [PublishedRow(model, [_cell(model, found) for found in links]) for model, is_shown in models if is_shown]
    return PublishedView(rows, {row.model.label: _levels(row.model, links) for row in rows}, models, links)


def address_of(view: DriftView) -> str:
    """What a picture has to be told so that it shows the same lines."""
    if PARAMETER not in view.query:
        return ""
    query = view.query.copy()
    for name in [name for name in query if name != PARAMETER]:
        query.pop(name)
    return query.urlencode()


def published_context(published: PublishedView, view: DriftView) -> dict[str, Any]:
    """What the section of the page needs."""
    return {
        "published": published,
        "published_parameter": PARAMETER,
        "kept_beside_published": view.kept(PARAMETER),
        "link_choices": _link_choices(),
        "link_rows": [(found, _pick(found)) for found in published.links],
    }


@require_POST
def link_published(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Choose what stands beside the benchmarks of a run, or take a choice back."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=Role.RUNNER)
    given = {
        name.removeprefix("beside."): str(value) for name, value in request.POST.items() if name.startswith("beside.")
    }
    try:
        for domain, value in given.items():
            link(run, domain, None if value == _BY_NAME else NONE if value == _NONE else value, by=request.user)
    except LinkError as error:
        return render(
            request, "runs/refused.html", {"project": run.project, "run": run, "words": sentence(error)}, status=422
        )
    return redirect(f"{reverse('runs:drift', args=[slug, number])}{_kept_address(request)}#published")


@require_safe
def published_page(request: HttpRequest, slug: str) -> HttpResponse:
    """List the published benchmarks, how each is scored, and what was published of which model."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    models = published_models()
    categories: dict[str, list[tuple[PublishedBenchmark, list[tuple[str, str]]]]] = {}
    for about in published_benchmarks().values():
        cells = [_listed(model, about) for model in models]
        categories.setdefault(about.category, []).append((about, cells))
    context = {
        "project": project,
        "crumbs": [(project.name, reverse("runs:list", args=[slug])), ("Published results", "")],
        "models": models,
        "categories": categories,
        "sources": list({model.source.key: model.source for model in models}.values()),
        "n_benchmarks": len(published_benchmarks()),
        "points": POINTS,
    }
    return render(request, "published.html", context)


def _kept_address(request: HttpRequest) -> str:
    address = request.POST.get("address", "")
    return address if address.startswith("?") and "\n" not in address and "\r" not in address else ""


def _value(model: PublishedModel, found: Beside) -> float | None:
    return model.mean_of(found.benchmarks)


def _levels(model: PublishedModel, links: list[Beside]) -> dict[str, float]:
    return {found.domain: value / 100 for found in links if (value := _value(model, found)) is not None}


def _cell(model: PublishedModel, found: Beside) -> PublishedCell:
    value = _value(model, found)
    if value is None:
        return PublishedCell(found.title)
    known = published_benchmarks()
    of = "; ".join(f"{name} ({known[name].protocol})" for name in found.benchmarks)
    mean = "the mean of " if len(found.benchmarks) > 1 else ""
    about = f"{model.name}, published: {mean}{of}; {model.source}. Not measured here"
    return PublishedCell(found.title, words.score(value / 100), about)


def _listed(model: PublishedModel, about: PublishedBenchmark) -> tuple[str, str]:
    result = model.results.get(about.name)
    if result is None:
        return "", ""
    text = f"{result.value:.1f}" if about.unit == POINTS else f"{result.value:g}"
    notes = ["measured by the authors of the Cascade 2 paper"] if result.is_again else []
    if result.with_tools is not None:
        notes.append(f"{result.with_tools:g} with a Python executor")
    return f"{text}{'‡' if result.is_again else ''}", "; ".join(notes)


def _link_choices() -> list[tuple[str, list[str]]]:
    """The published benchmarks by category."""
    grouped: dict[str, list[str]] = {}
    known = published_benchmarks()
    for name in linkable():
        grouped.setdefault(known[name].category, []).append(name)
    return list(grouped.items())


def _pick(found: Beside) -> str:
    """The value of the pick that shows what is chosen."""
    return _BY_NAME if found.chosen is None else found.chosen or _NONE

"""New run: pick a recipe to start from, change it in a form or as YAML, launch it or keep it.

Every button posts the whole form, and the answer is the whole form again: with a script it is swapped in place, without
one the page is renewed. Nothing is stored before it is launched or saved.
"""

import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from runs.access import project_for, role_in
from runs.data_sets import ready_versions
from runs.estimates import estimate
from runs.leaks import find_check, queue_check
from runs.lifecycle import start_run
from runs.models import Project, Recipe, Role, Run
from runs.pages.data_drafts import draft_from, draft_on
from runs.pages.data_sets import find_data_set, leaks_context
from runs.pages.form_fields import Problems
from runs.pages.recipe_forms import apply_op, can_be_a_form, document_from_post, recipe_form
from runs.pages.registered_models import find_model
from runs.pages.samples import samples_page
from runs.pages.teachers import asked_teachers, with_teachers
from runs.pins import pin_recipe
from runs.presets import load_preset, preset_names, preset_text
from runs.recipes import save_recipe
from runs.registered_models import ready_models
from runs.samples import missing_samples
from workers.recipe_text import (
    FieldProblem,
    RecipeError,
    check_recipe,
    dump_document,
    dump_recipe,
    load_recipe,
    read_document,
)
from workers.spec import RecipeSpec

_LAUNCHES = "launches"  # in the session: the run that each composer page has launched
_LAUNCHES_KEPT = 20
_RECIPES_SHOWN = 20
_ITEMS = {"stages": "stage", "benchmarks": "benchmark", "gates": "gate"}  # the lists of a recipe


@dataclass(frozen=True)
class Draft:
    """A recipe being written: as controls or as text, and what is wrong with it."""

    is_text: bool
    text: str = ""
    document: Any = None
    spec: RecipeSpec | None = None
    problems: tuple[FieldProblem, ...] = ()
    stays_text: bool = False  # the form was asked for, and could not hold all of the text


@require_http_methods(["GET", "HEAD", "POST"])
def compose(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose what to start from, then write the recipe; a reader without the role to run sees it, and can change nothing."""
    assert isinstance(request.user, User)
    if request.method != "POST":
        project = project_for(request.user, slug)
        if waits := _samples_first(request, project):
            return waits
        draft = _first_draft(request, project)
        return _start_page(request, project) if draft is None else _page(request, project, draft)
    project = project_for(request.user, slug, needs=Role.RUNNER)
    draft = _draft_from_post(request, project)
    op = request.POST.get("op", "check")
    if op in ("launch", "save"):
        if draft.spec is None:
            return _page(request, project, draft, status=422)
        return _launch(request, project, draft.spec) if op == "launch" else _save(request, project, draft.spec)
    draft, looked_at = _changed(draft, op, project)
    return _page(request, project, draft, looked_at=looked_at)


# Drafts ---------------------------------------------------------------------------------------------------------


def _samples_first(request: HttpRequest, project: Project) -> HttpResponse | None:
    """The page of a preset's sample rows, where the project lacks them; as YAML the recipe can be read all the same."""
    preset = request.GET.get("preset", "")
    if preset not in preset_names() or request.GET.get("as") == "yaml":
        return None
    return samples_page(request, project, preset)


def _first_draft(request: HttpRequest, project: Project) -> Draft | None:
    """The draft that the address asks for; None where it asks for nothing yet."""
    asked, as_text = request.GET, request.GET.get("as") == "yaml"
    if "paste" in asked:
        return Draft(is_text=True)
    if "preset" in asked:
        try:
            text = preset_text(asked["preset"])
        except KeyError:
            raise Http404 from None
        document = load_preset(asked["preset"]).model_dump(mode="json")
        return _draft_of_text(text, project) if as_text else _draft_of(document, project)
    if "recipe" in asked:
        recipe = get_object_or_404(Recipe, project=project, public_id=asked["recipe"].replace("\0", ""))
        return _draft_of_text(dump_recipe(recipe.spec), project) if as_text else _draft_of(recipe.document, project)
    if "run" in asked:
        document = get_object_or_404(Run, project=project, number=_number(asked["run"])).document
        if teachers := asked_teachers(asked):
            with_teachers(document, teachers)
        return _draft_of(document, project)
    if "data" in asked:
        data_set = find_data_set(project, asked["data"].replace("\0", ""), _number(asked.get("version", "")))
        return _draft_of(draft_on(data_set), project) if data_set.is_ready else None
    if "model" in asked:
        model = find_model(project, asked["model"])
        return _draft_of(draft_from(model), project) if model.is_ready else None
    return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _draft_from_post(request: HttpRequest, project: Project) -> Draft:
    if request.POST.get("shown") == "yaml":
        return _draft_of_text(request.POST.get("text", "").replace("\r\n", "\n"), project)
    return _draft_of(document_from_post(request.POST, ready_models(project)), project)


def _draft_of(document: Any, project: Project) -> Draft:
    try:
        document = pin_recipe(document, project)
        return Draft(is_text=False, document=document, spec=check_recipe(document))
    except RecipeError as error:
        return Draft(is_text=False, document=document, problems=tuple(error.problems))


def _draft_of_text(text: str, project: Project) -> Draft:
    if not text.strip():
        return Draft(is_text=True, text=text, problems=(FieldProblem((), "paste a recipe first", "not_a_recipe"),))
    try:
        return Draft(is_text=True, text=text, spec=load_recipe(text, pin=partial(pin_recipe, project=project)))
    except RecipeError as error:
        return Draft(is_text=True, text=text, problems=tuple(error.problems))


def _changed(draft: Draft, op: str, project: Project) -> tuple[Draft, int | None]:
    """Do what a button says; returns the new draft and the position of the stage to look at."""
    if op == "show:yaml" and not draft.is_text:
        return replace(draft, is_text=True, text=_as_text(draft)), None
    if op == "show:form" and draft.is_text:
        return _as_form(draft, project), None
    if draft.is_text:
        return draft, None
    looked_at = apply_op(draft.document, op)
    changed = _draft_of(draft.document, project)
    return _without_blame(changed) if op == "task-add" else changed, looked_at


def _without_blame(draft: Draft) -> Draft:
    """Find no fault with a task that was added this moment: nobody has had time to name it."""
    added = ("benchmarks", len(draft.document["benchmarks"]) - 1)
    return replace(draft, problems=tuple(problem for problem in draft.problems if problem.path[:2] != added))


def _as_text(draft: Draft) -> str:
    return dump_recipe(draft.spec) if draft.spec else dump_document(draft.document)


def _as_form(draft: Draft, project: Project) -> Draft:
    """The text as controls; it stays text where controls could not hold all of it."""
    if draft.spec is not None:
        return _draft_of(draft.spec.model_dump(mode="json"), project)
    try:
        document, _ = read_document(draft.text)
    except RecipeError:
        return replace(draft, stays_text=True)
    fits = can_be_a_form(document, list(draft.problems))
    return _draft_of(document, project) if fits else replace(draft, stays_text=True)


# Launch and save ------------------------------------------------------------------------------------------------


def _save(request: HttpRequest, project: Project, spec: RecipeSpec) -> HttpResponse:
    assert isinstance(request.user, User)
    recipe = save_recipe(project=project, spec=spec, user=request.user)
    messages.success(request, f"Saved as {recipe}.")
    return _go_to(request, reverse("recipes:detail", args=[project.slug, recipe.name, recipe.version]))


def _launch(request: HttpRequest, project: Project, spec: RecipeSpec) -> HttpResponse:
    """Save the recipe and start its run; the same page launches once, however often its button is pressed."""
    assert isinstance(request.user, User)
    key = request.POST.get("launch_key", "")[:64]
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # a second press waits here, then finds the first's run
        session = _fresh_session(request)
        launches: dict[str, int] = session.get(_LAUNCHES, {})
        run = Run.objects.filter(project=project, number=launches.get(key, 0)).first()  # numbers begin at 1
        if run is None:
            recipe = save_recipe(project=project, spec=spec, user=request.user)
            run = start_run(project=project, recipe=recipe, user=request.user)
            session[_LAUNCHES] = dict([*launches.items(), (key, run.number)][-_LAUNCHES_KEPT:])
            session.save()
    return _go_to(request, reverse("runs:detail", args=[project.slug, run.number]))


def _go_to(request: HttpRequest, address: str) -> HttpResponse:
    """Leave the page; a script's request is told to, since its own redirect would only be swapped into the form."""
    return HttpResponse(headers={"HX-Redirect": address}) if _is_part(request) else redirect(address)


def _is_part(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _fresh_session(request: HttpRequest) -> SessionBase:
    """The session as it is stored now; the request's own copy was read before the lock."""
    return type(request.session)(request.session.session_key)


# Pages ----------------------------------------------------------------------------------------------------------


def _start_page(request: HttpRequest, project: Project) -> HttpResponse:
    presets = [(load_preset(name), bool(missing_samples(name, project))) for name in preset_names()]
    recipes = Recipe.objects.filter(project=project).select_related("created_by").order_by("-created_at")
    context = {"presets": presets, "recipes": recipes[:_RECIPES_SHOWN], "n_recipes": recipes.count()}
    return render(request, "new_run/start.html", _shell(request, project, [("New run", "")]) | context)


def _page(
    request: HttpRequest, project: Project, draft: Draft, *, looked_at: int | None = None, status: int = 200
) -> HttpResponse:
    problems = Problems(list(draft.problems))
    form = (
        None if draft.is_text else recipe_form(draft.document, problems, ready_versions(project), ready_models(project))
    )
    context = {
        "draft": draft,
        "form": form,
        "summary": [(control, _place(problem, draft), problem) for control, problem in problems.summary],
        "preview": _as_text(draft) if draft.spec or not draft.is_text else "",
        "n_steps": sum(stage.steps for stage in draft.spec.stages) if draft.spec else 0,
        "looked_at": looked_at,
        "launch_key": request.POST.get("launch_key") or secrets.token_urlsafe(16),
    }
    crumbs = [("New run", reverse("runs:new", args=[project.slug])), ("Compose", "")]
    context |= _shell(request, project, crumbs) | (_what_it_takes(request, draft.spec, project) if draft.spec else {})
    if _is_part(request):
        return render(request, "new_run/_composer.html", context)  # a script shows only what succeeds
    return render(request, "new_run/compose.html", context, status=status)


def _what_it_takes(request: HttpRequest, spec: RecipeSpec, project: Project) -> dict[str, Any]:
    found = estimate(spec, project)
    stages = [] if found.unknown else list(zip(spec.stages, found.stages, strict=True))
    assert isinstance(request.user, User)
    role = role_in(request.user, project)
    check = queue_check(spec, project) if role and role.may(Role.RUNNER) else find_check(spec, project)
    return {"estimate": found, "estimated": stages, **leaks_context(check)}


def _place(problem: FieldProblem, draft: Draft) -> str:
    """Where a problem is: as the text has it, or in the words of the form, which counts stages from 1."""
    position = problem.path[1] if len(problem.path) > 1 else None
    if draft.is_text or not isinstance(position, int):
        return problem.field
    words = [str(part).replace("_", " ") for part in problem.path[2:]]
    return " · ".join([f"{_ITEMS[str(problem.path[0])]} {position + 1}", *words])


def _shell(request: HttpRequest, project: Project, crumbs: list[tuple[str, str]]) -> dict[str, Any]:
    assert isinstance(request.user, User)
    role = role_in(request.user, project)
    return {
        "project": project,
        "crumbs": [(project.name, reverse("runs:list", args=[project.slug])), *crumbs],
        "role": role,
        "may_launch": role is not None and role.may(Role.RUNNER),
    }

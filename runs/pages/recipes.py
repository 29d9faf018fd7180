"""Recipes of a project: their list, and a version with what changed in it."""

from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from runs.access import project_for, role_in
from runs.gates import rule_words
from runs.leaks import find_check
from runs.models import Project, Recipe, Role, Run
from runs.pages.data_sets import leaks_context
from runs.pages.recipe_changes import changes
from runs.registered_models import model_of
from workers.catalogue import DOMAINS
from workers.recipe_text import dump_recipe


@require_safe
def recipe_list(request: HttpRequest, slug: str) -> HttpResponse:
    """List the newest version of every recipe, with the number of runs of all its versions."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    context = {
        "project": project,
        "crumbs": [_home_crumb(project), ("Recipes", "")],
        "recipes": _newest_versions(project),
        "may_launch": _may_launch(request.user, project),
    }
    return render(request, "recipes/list.html", context)


@require_safe
def recipe_detail(request: HttpRequest, slug: str, name: str, version: int) -> HttpResponse:
    """Show a version: its stages, its YAML, its runs, and what it changed."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    recipe = _recipe(project, name, version)
    versions = Recipe.objects.filter(project=project, name=name).select_related("created_by").order_by("-version")
    previous = versions.filter(version__lt=version).first()
    spec = recipe.spec
    context = {
        "project": project,
        "crumbs": [_home_crumb(project), ("Recipes", reverse("recipes:list", args=[slug])), (str(recipe), "")],
        "recipe": recipe,
        "spec": spec,
        "stages": [(stage, spec.start_of(position)) for position, stage in enumerate(spec.stages)],
        "n_steps": sum(stage.steps for stage in spec.stages),
        "n_domains": len(DOMAINS),
        "gates": [rule_words(gate) for gate in spec.gates],
        "text": dump_recipe(spec),
        "versions": versions,
        "previous": previous,
        "changes": changes(previous.document, recipe.document) if previous else [],
        "runs": Run.objects.filter(recipe=recipe).select_related("created_by").order_by("-number"),
        "may_launch": _may_launch(request.user, project),
        "model": model_of(project, recipe.document),
        **leaks_context(find_check(spec, project)),
    }
    return render(request, "recipes/detail.html", context)


@require_safe
def recipe_yaml(request: HttpRequest, slug: str, name: str, version: int) -> HttpResponse:
    """Answer a version as a YAML file."""
    assert isinstance(request.user, User)
    recipe = _recipe(project_for(request.user, slug), name, version)
    filename = f"{recipe.name}-v{recipe.version}.yaml"
    return HttpResponse(
        dump_recipe(recipe.spec),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )


def _recipe(project: Project, name: str, version: int) -> Recipe:
    return get_object_or_404(Recipe.objects.select_related("created_by"), project=project, name=name, version=version)


def _newest_versions(project: Project) -> QuerySet[Recipe]:
    of_this_name = Recipe.objects.filter(project=project, name=OuterRef("name")).order_by("-version")
    n_runs = (
        Run.objects.filter(project=project, recipe__name=OuterRef("name"))
        .order_by()
        .values("recipe__name")
        .annotate(n=Count("pk"))
        .values("n")
    )
    newest = Recipe.objects.filter(project=project, pk=Subquery(of_this_name.values("pk")[:1]))
    return newest.select_related("created_by").annotate(n_runs=Subquery(n_runs)).order_by("-created_at")


def _home_crumb(project: Project) -> tuple[str, str]:
    return project.name, reverse("runs:list", args=[project.slug])


def _may_launch(user: User, project: Project) -> bool:
    role = role_in(user, project)
    return role is not None and role.may(Role.RUNNER)

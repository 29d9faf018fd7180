"""Saving recipes, in versions."""

from django.contrib.auth.models import User
from django.db import transaction

from runs.leaks import queue_check
from runs.models import Project, Recipe
from runs.pins import pin_recipe
from workers.recipe_text import check_recipe
from workers.spec import RecipeSpec


def save_recipe(*, project: Project, spec: RecipeSpec, user: User) -> Recipe:
    """Store a recipe as the next version of its name; the same document as the newest version is that version.

    Raises RecipeError where it pins rows that the project does not have.
    """
    pinned = check_recipe(pin_recipe(spec.model_dump(mode="json"), project))
    document = pinned.model_dump(mode="json")
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # two saves at once get two versions
        queue_check(pinned, project, again=True)
        newest = Recipe.objects.filter(project=project, name=spec.name).order_by("-version").first()
        if newest is not None and newest.document == document:
            return newest
        version = newest.version + 1 if newest else 1
        return Recipe.objects.create(
            project=project, name=spec.name, version=version, document=document, created_by=user
        )

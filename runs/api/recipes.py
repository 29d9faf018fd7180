"""Recipes: saved in versions, read as JSON or as the YAML that a person wrote."""

from functools import partial
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from runs.access import project_for
from runs.api.bodies import JSONBody, RecipeText, YAMLAnswer, YAMLBody
from runs.api.find import find_recipe, person
from runs.api.lists import Paging, page_of, paged
from runs.api.openapi import operation
from runs.models import Project, Recipe, Role
from runs.pins import pin_recipe
from runs.recipes import save_recipe
from workers.recipe_text import check_recipe, load_recipe
from workers.spec import RecipeSpec

SMALLEST = {
    "name": "smallest",
    "stages": [{"kind": "sft", "name": "sft", "domains": {"stem": 1.0}, "steps": 100, "learning_rate": 0.003}],
}
FORMAT = OpenApiParameter("format", description="The same as Accept, for a browser", enum=("json", "yaml"))
EXAMPLE = OpenApiExample("The smallest recipe", value=SMALLEST, request_only=True, media_type="application/json")


@extend_schema_field(RecipeSpec)  # type: ignore[arg-type]  # SpecSchema explains specs to it
class RecipeDocument(serializers.Field[Any, Any, Any, Any]):
    """A recipe with every setting at its value, in the spec's order of fields, which the database does not keep."""

    def to_representation(self, value: RecipeSpec) -> dict[str, Any]:
        return value.model_dump(mode="json")


class RecipeSummary(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    version = serializers.IntegerField(help_text="Counts the recipes of this name in the project, from 1")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username")


class RecipeOut(RecipeSummary):
    project = serializers.CharField(source="project.slug")
    document = RecipeDocument(source="spec")


def recipe_from(request: Request, project: Project) -> RecipeSpec:
    """Read the recipe of a body, with the project's data sets pinned; raises RecipeError."""
    pin = partial(pin_recipe, project=project)
    if isinstance(request.data, RecipeText):
        return load_recipe(request.data.text, pin=pin)
    return check_recipe(pin(request.data))


class Recipes(APIView):
    parser_classes = (JSONBody, YAMLBody)

    @operation(
        "list_recipes",
        "List a project's recipes, newest first",
        answer=page_of(RecipeSummary),
        parameters=[Paging],
        problems=(404, 422),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug)
        recipes = Recipe.objects.filter(project=project).select_related("created_by").defer("document")
        return paged(request, recipes, RecipeSummary, key="public_id", order="-pk")

    @operation(
        "save_recipe",
        "Save a recipe",
        about="Save a recipe as the next version of its name; the same document as the newest version is that version. "
        "Everything is checked first: what cannot be carried out is not stored.",
        status=201,
        answer=RecipeOut,
        body={"application/json": RecipeSpec, "application/yaml": RecipeSpec},
        problems=(404,),
        examples=[EXAMPLE],
    )
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug, needs=Role.RUNNER)
        spec = recipe_from(request, project)
        recipe = save_recipe(project=project, spec=spec, user=person(request))
        location = reverse("api-recipe", args=[recipe.public_id])
        return Response(RecipeOut(recipe).data, status=201, headers={"Location": location})


class RecipeDetail(APIView):
    renderer_classes = (JSONRenderer, YAMLAnswer)

    @operation(
        "get_recipe",
        "Read a recipe",
        about="With `Accept: application/yaml` (or `?format=yaml`) only the document, as YAML that can be saved again.",
        answer={(200, "application/json"): RecipeOut, (200, "application/yaml"): RecipeSpec},
        parameters=[FORMAT],
        problems=(404,),
    )
    def get(self, request: Request, public_id: str) -> Response:
        recipe = find_recipe(request, public_id)
        is_yaml = request.accepted_renderer.format == "yaml"
        return Response(recipe.spec.model_dump(mode="json") if is_yaml else RecipeOut(recipe).data)

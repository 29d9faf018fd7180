"""What every person may read, of no project: the recipe's JSON Schema, and the presets."""

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.bodies import YAMLAnswer
from runs.api.lists import page_of, whole
from runs.api.openapi import operation
from runs.api.recipes import FORMAT, RecipeDocument
from runs.presets import load_preset, preset_names, preset_text
from workers.spec import RecipeSpec


class RecipeSchema(APIView):
    @operation(
        "get_recipe_schema",
        "Read the JSON Schema of a recipe",
        about="Every field with its default, range, unit and source. Rules across fields are checked when a recipe is saved.",
        answer={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        schema = RecipeSpec.model_json_schema()
        return Response({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


class PresetSummary(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()
    n_stages = serializers.IntegerField()


class PresetOut(PresetSummary):
    document = RecipeDocument()


class Presets(APIView):
    @operation("list_presets", "List the recipes that ship with the product", answer=page_of(PresetSummary))
    def get(self, request: Request) -> Response:
        return whole([_preset(name) for name in preset_names()], PresetSummary)


class PresetDetail(APIView):
    renderer_classes = (JSONRenderer, YAMLAnswer)

    @operation(
        "get_preset",
        "Read a preset",
        about="With `Accept: application/yaml` (or `?format=yaml`) as its YAML file, comments included.",
        answer={(200, "application/json"): PresetOut, (200, "application/yaml"): RecipeSpec},
        parameters=[FORMAT],
        problems=(404,),
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        if name not in preset_names():
            raise Http404(f"there is no preset '{name}', but: {', '.join(preset_names())}")
        if request.accepted_renderer.format == "yaml":
            return HttpResponse(preset_text(name), content_type="application/yaml; charset=utf-8")
        return Response(PresetOut(_preset(name)).data)


def _preset(name: str) -> dict[str, Any]:
    recipe = load_preset(name)
    return {
        "name": name,
        "description": recipe.description,
        "n_stages": len(recipe.stages),
        "document": recipe,
    }

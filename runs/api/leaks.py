"""Benchmark items that also stand in the training prompts of a recipe's data sets."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.find import find_recipe
from runs.api.openapi import operation
from runs.leaks import find_check
from runs.models import Status
from workers.data_dir import LeakReport


@extend_schema_field(LeakReport)  # type: ignore[arg-type]  # drf-spectacular's own extension explains pydantic's models to it
class FoundInPrompts(serializers.JSONField):
    """A check's report, as its folder has it."""


class LeaksOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(
        choices=Status.choices,
        source="shown_status",
        allow_null=True,
        help_text="Of the comparison; null where the recipe's data sets leave nothing to compare",
    )
    failure_reason = serializers.CharField(help_text="Why nothing was compared; empty where it was")
    report = FoundInPrompts(allow_null=True, help_text="What was found; null until all is compared")


class RecipeLeaks(APIView):
    @operation(
        "get_recipe_leaks",
        "Read which benchmark items stand in training prompts",
        about="Read which items of the benchmarks on data sets also stand in the training prompts of the recipe's data sets. They "
        "are compared when the recipe is saved.",
        answer=LeaksOut,
        problems=(404,),
    )
    def get(self, request: Request, public_id: str) -> Response:
        recipe = find_recipe(request, public_id)
        check = find_check(recipe.spec, recipe.project)
        nothing = {"shown_status": None, "failure_reason": "", "report": None}
        return Response(LeaksOut(check or nothing).data)

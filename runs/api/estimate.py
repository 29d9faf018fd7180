"""What a recipe would take, before anything is saved or run."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.access import project_for
from runs.api.bodies import JSONBody, YAMLBody
from runs.api.find import person
from runs.api.openapi import operation
from runs.api.recipes import EXAMPLE, recipe_from
from runs.estimates import estimate
from workers.spec import RecipeSpec


class RangeOut(serializers.Serializer[Any]):
    low = serializers.FloatField()
    expected = serializers.FloatField()
    high = serializers.FloatField()


class StageEstimateOut(serializers.Serializer[Any]):
    stage = serializers.CharField()
    kind = serializers.CharField()
    memory = RangeOut(help_text="Peak of the trainer's process, in bytes")
    dominant = serializers.CharField(help_text="The largest of the terms")
    terms = serializers.DictField(
        child=serializers.FloatField(), help_text="What stands in memory at the expected peak, in bytes"
    )
    seconds = RangeOut(help_text="Wall time, without scoring")


class EstimateOut(serializers.Serializer[Any]):
    memory = RangeOut(allow_null=True, help_text="Of the largest stage, in bytes")
    seconds = RangeOut(allow_null=True, help_text="Of all stages one after the other, without scoring")
    stages = StageEstimateOut(many=True)
    n_measured = serializers.IntegerField(
        help_text="Earlier stages of the project whose steps correct the times; 0: times are a guess"
    )
    unknown = serializers.CharField(help_text="Why nothing is predicted; empty where it is")
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="Stages that a worker like this server would refuse"
    )


class Estimate(APIView):
    parser_classes = (JSONBody, YAMLBody)

    @operation(
        "estimate_recipe",
        "Predict the memory and time of a recipe",
        about="Predict each stage's peak memory and time. Nothing is stored. The formulas are in docs/estimate.md.",
        answer=EstimateOut,
        body={"application/json": RecipeSpec, "application/yaml": RecipeSpec},
        problems=(404,),
        examples=[EXAMPLE],
    )
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug)
        return Response(EstimateOut(estimate(recipe_from(request, project), project)).data)

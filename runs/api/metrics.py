"""Metric series of a stage, thinned out so that no peak is lost."""

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.find import find_stage
from runs.api.lists import query
from runs.api.openapi import operation
from runs.api.thinning import thin
from runs.models import Metric

MAX_POINTS = 10_000


class SeriesQuery(serializers.Serializer[Any]):
    points = serializers.IntegerField(
        min_value=4, max_value=MAX_POINTS, default=1000, help_text="Most points to answer; fewer steps come as they are"
    )


class MetricNames(serializers.Serializer[Any]):
    names = serializers.ListField(child=serializers.CharField())


class Series(serializers.Serializer[Any]):
    name = serializers.CharField()
    n_steps = serializers.IntegerField(help_text="Steps there are, of which the points are a choice")
    steps = serializers.ListField(child=serializers.IntegerField())
    values = serializers.ListField(child=serializers.FloatField())


class StageMetrics(APIView):
    @operation("list_metrics", "List the names of a stage's metrics", answer=MetricNames, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        stage = find_stage(request, public_id)
        return Response({"names": list(stage.metrics.order_by("name").values_list("name", flat=True).distinct())})


class MetricSeries(APIView):
    @operation(
        "get_metric",
        "Read a metric's series",
        about="Read a metric's series. More steps than `points` are thinned out: of each stretch the lowest and the "
        "highest value stay, and the first and last step; the same steps give the same points.",
        answer=Series,
        parameters=[SeriesQuery],
        problems=(404, 422),
    )
    def get(self, request: Request, public_id: str, name: str) -> Response:
        found = Metric.objects.filter(stage=find_stage(request, public_id), name=name).order_by("step")
        n_steps = found.count()
        if not n_steps:
            raise Http404(f"this stage has no metric '{name}'; list its metrics to see their names")
        points = thin(found.values_list("step", "value").iterator(), n_steps, query(request, SeriesQuery)["points"])
        steps, values = [step for step, _ in points], [value for _, value in points]
        return Response({"name": name, "n_steps": n_steps, "steps": steps, "values": values})

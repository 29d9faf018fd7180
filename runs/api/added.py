"""Benchmarks added to a run that its recipe did not have, and the scorings that came of it."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import added
from runs.api.bodies import Input
from runs.api.find import find_run, person
from runs.api.lists import page_of, whole
from runs.api.openapi import operation
from runs.api.stages import Work
from runs.models import AddedBenchmark, Run
from workers.spec import BASE


class BenchmarkToAdd(Input):
    benchmark = serializers.DictField(
        help_text="As in a recipe: {domain: stem, n_problems: 64}, the name of a data set as domain, or {task: arc_easy}"
    )
    rows = serializers.ListField(
        child=serializers.CharField(max_length=80),
        required=False,
        allow_null=True,
        default=None,
        max_length=100,
        help_text="The checkpoints to score, by their rows in the run's drift; left out, all that have weights",
    )


class AddedScoringOut(Work):
    checkpoint = serializers.CharField(source="checkpoint.public_id")
    row = serializers.SerializerMethodField(help_text="The checkpoint's row in the run's drift")
    asked_by = serializers.CharField(source="asked_by.username", help_text="Who asked last")

    def get_row(self, scoring: Any) -> str:
        stage = scoring.checkpoint.stage
        return stage.name if stage else BASE


class AddedBenchmarkOut(serializers.Serializer[Any]):
    domain = serializers.CharField()
    benchmark = serializers.SerializerMethodField(help_text="All of its settings, as frozen when it was added")
    added_by = serializers.CharField(source="added_by.username")
    created_at = serializers.DateTimeField()
    scorings = AddedScoringOut(many=True)

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_benchmark(self, row: AddedBenchmark) -> dict[str, Any]:
        document: dict[str, Any] = row.document
        return document


class AddedBenchmarks(APIView):
    @operation(
        "list_added_benchmarks",
        "List the benchmarks that were added to a run",
        answer=page_of(AddedBenchmarkOut),
        problems=(404,),
    )
    def get(self, request: Request, public_id: str) -> Response:
        return whole(_rows(find_run(request, public_id)), AddedBenchmarkOut)

    @operation(
        "add_benchmark",
        "Add a benchmark to a run, and score checkpoints on it",
        about="The recipe stays as it is: the benchmark is kept beside it and becomes a column of the run's drift. Its checkpoints "
        "are scored in the background, also of a run that is over. The same call again queues only what is not scored yet. "
        "Codes of 409: is_in_recipe, another_benchmark, too_many, no_weights.",
        status=202,
        answer=AddedBenchmarkOut,
        body=BenchmarkToAdd,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id, needs=added.ASK)
        asked = BenchmarkToAdd(data=request.data)
        asked.is_valid(raise_exception=True)
        found = added.add_benchmark(
            run, asked.validated_data["benchmark"], rows=asked.validated_data["rows"], by=person(request)
        )
        return Response(AddedBenchmarkOut(_rows(run).get(pk=found.pk)).data, status=202)


class OneAddedBenchmark(APIView):
    @operation(
        "get_added_benchmark", "Read a benchmark that was added to a run", answer=AddedBenchmarkOut, problems=(404,)
    )
    def get(self, request: Request, public_id: str, domain: str) -> Response:
        return Response(AddedBenchmarkOut(_find(find_run(request, public_id), domain)).data)

    @operation(
        "remove_added_benchmark",
        "Take back an added benchmark that has no score yet",
        about="Codes of 409: in_progress while it is being scored, has_scores afterwards.",
        answer={204: None},
        problems=(404, 409),
    )
    def delete(self, request: Request, public_id: str, domain: str) -> Response:
        run = find_run(request, public_id, needs=added.ASK)
        added.remove_benchmark(_find(run, domain), by=person(request))
        return Response(status=204)


def _find(run: Run, domain: str) -> AddedBenchmark:
    found: AddedBenchmark = get_object_or_404(_rows(run), domain=domain)
    return found


def _rows(run: Run) -> Any:
    scorings = "scorings__checkpoint__stage"
    return run.added_benchmarks.select_related("added_by").prefetch_related(scorings, "scorings__asked_by")

"""Checkpoints, what they scored, and the results of single problems."""

from collections import defaultdict
from typing import Any

import numpy as np
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.find import find_checkpoint, find_run
from runs.api.lists import Paging, page_of, paged, query, whole
from runs.api.openapi import operation
from runs.api.stages import Work
from runs.drift import Interval
from runs.drift.intervals import mean_interval
from runs.models import ItemResult, Score

SPLITS = ("test", "validation")


class CheckpointStage(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()


class CheckpointOut(Work):
    """Weights that a stage left behind; status and what goes with it are those of its scoring."""

    id = serializers.CharField(source="public_id")
    run = serializers.CharField(source="run.public_id")
    stage = CheckpointStage(allow_null=True, help_text="null: the base model")
    at_step = serializers.IntegerField()
    is_mid_stage = serializers.BooleanField(help_text="Scored for the curves only: no row of the matrix")
    folder = serializers.CharField(
        help_text="Below the run's artifacts; of a base model given as a folder, below MODELS_DIR"
    )
    created_at = serializers.DateTimeField()


class BenchmarkOut(serializers.Serializer[Any]):
    digest = serializers.CharField(help_text="Names problems and protocol; only scores of one digest may be compared")
    domain = serializers.CharField()
    split = serializers.ChoiceField(choices=SPLITS)
    version = serializers.IntegerField()
    protocol = serializers.DictField(help_text="How answers were sampled and graded")


class ScoreOut(serializers.Serializer[Any]):
    benchmark = BenchmarkOut()
    mean = serializers.FloatField(help_text="0 to 1")
    interval = serializers.ListField(
        child=serializers.FloatField(), min_length=2, max_length=2, allow_null=True, help_text="95 %"
    )
    n_items = serializers.IntegerField()
    samples = serializers.IntegerField(help_text="Answers per problem: k of avg@k")
    response_tokens = serializers.FloatField(help_text="Mean length of an answer")
    created_at = serializers.DateTimeField()


class ItemOut(serializers.Serializer[Any]):
    item = serializers.IntegerField(help_text="Place in the benchmark, the same for every checkpoint")
    value = serializers.FloatField(help_text="Mean grade over the samples, 0 to 1")
    grades = serializers.ListField(
        child=serializers.FloatField(), help_text="Of each sample, in order; empty where only their mean was kept"
    )
    prompt = serializers.CharField()
    response = serializers.CharField(help_text="The first sample")
    n_tokens = serializers.FloatField(help_text="Mean length of the samples")
    n_truncated = serializers.IntegerField(
        allow_null=True, help_text="Samples that were cut off; null: scored before it was kept"
    )
    parts = serializers.DictField(help_text="What the grader said of the first sample; empty where it was not kept")


class SplitQuery(serializers.Serializer[Any]):
    split = serializers.ChoiceField(
        choices=SPLITS, default="test", help_text="Validation problems only choose teachers"
    )


class RunCheckpoints(APIView):
    @operation(
        "list_checkpoints", "List a run's checkpoints, the base first", answer=page_of(CheckpointOut), problems=(404,)
    )
    def get(self, request: Request, public_id: str) -> Response:
        return whole(find_run(request, public_id).checkpoints.select_related("run", "stage"), CheckpointOut)


class CheckpointDetail(APIView):
    @operation("get_checkpoint", "Read a checkpoint", answer=CheckpointOut, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return Response(CheckpointOut(find_checkpoint(request, public_id)).data)


class CheckpointScores(APIView):
    @operation(
        "list_scores",
        "List a checkpoint's scores",
        answer=page_of(ScoreOut),
        parameters=[SplitQuery],
        problems=(404, 422),
    )
    def get(self, request: Request, public_id: str) -> Response:
        split = query(request, SplitQuery)["split"]
        scores = find_checkpoint(request, public_id).scores.filter(benchmark__split=split).select_related("benchmark")
        return whole(_with_intervals(list(scores.order_by("benchmark__domain"))), ScoreOut)


class ScoreItems(APIView):
    @operation(
        "list_score_items",
        "List a score's single results",
        answer=page_of(ItemOut),
        parameters=[Paging],
        problems=(404, 422),
    )
    def get(self, request: Request, public_id: str, digest: str) -> Response:
        checkpoint = find_checkpoint(request, public_id)
        score = checkpoint.scores.filter(benchmark__digest=digest).first()
        if score is None:
            raise Http404("this checkpoint has no score of this benchmark; list its scores to see their digests")
        return paged(request, ItemResult.objects.filter(score=score), ItemOut, key="item", order="item")


def _with_intervals(scores: list[Score]) -> list[dict[str, Any]]:
    """Add what the items say about noise, read for all scores at once."""
    values: dict[int, list[float]] = defaultdict(list)
    for score, value in ItemResult.objects.filter(score__in=scores).values_list("score_id", "value"):
        values[score].append(value)
    return [_with_interval(score, values[score.pk]) for score in scores]


def _with_interval(score: Score, values: list[float]) -> dict[str, Any]:
    interval: Interval | None = mean_interval(np.asarray(values)) if values else None
    return {
        "benchmark": score.benchmark,
        "mean": score.mean,
        "interval": interval,
        "n_items": score.n_items,
        "samples": score.samples,
        "response_tokens": score.response_tokens,
        "created_at": score.created_at,
    }

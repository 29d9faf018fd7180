"""Stages: where each leg of a run stands, what it was asked, and the attempts at it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import lifecycle
from runs.api.bodies import NoInput
from runs.api.find import find_run, find_stage
from runs.api.lists import page_of, query, whole
from runs.api.openapi import operation
from runs.ingest import stage_folder
from runs.models import Role, Stage, Status
from workers import stage_dir
from workers.spec import BASE, ResolvedStageSpec

KINDS = ("sft", "grpo", "mopd")
MAX_LOG_BYTES = 1_048_576


class Failure(serializers.Serializer[Any]):
    code = serializers.CharField(source="failure_code", help_text="Stays the same when the words change")
    reason = serializers.CharField(source="failure_reason", help_text="In words for a person")


class Work(serializers.Serializer[Any]):
    """What a worker does: a stage's training, a checkpoint's scoring, or a top-up."""

    status = serializers.ChoiceField(choices=Status.choices, source="shown_status")
    attempt = serializers.IntegerField(help_text="How many times it was begun")
    worker = serializers.CharField(help_text="Who has it, or had it last; empty: nobody yet")
    step = serializers.IntegerField()
    n_steps = serializers.IntegerField()
    substep = serializers.CharField(help_text="What its process does right now; empty at rest")
    eta_s = serializers.FloatField(allow_null=True, help_text="Seconds left, as far as can be told")
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    failure = serializers.SerializerMethodField()

    @extend_schema_field(Failure(allow_null=True))
    def get_failure(self, work: Any) -> dict[str, Any] | None:
        return Failure(work).data if work.failure_code else None


class StageSummary(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    status = serializers.ChoiceField(choices=Status.choices, source="shown_status")
    step = serializers.IntegerField()
    n_steps = serializers.IntegerField()


class StageOut(Work):
    id = serializers.CharField(source="public_id")
    run = serializers.CharField(source="run.public_id")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    position = serializers.IntegerField(help_text="Place in the recipe, from 0")
    starts_from = serializers.SerializerMethodField(help_text="A stage's name, or 'base'")
    reward = serializers.FloatField(allow_null=True, help_text="Mean reward of the last step")

    def get_starts_from(self, stage: Stage) -> str:
        return stage.starts_from.name if stage.starts_from else BASE


class AttemptOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    worker = serializers.CharField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    ending = serializers.CharField(help_text="succeeded, failed, stopped or killed; empty: still at work, or lost")
    reason = serializers.CharField()


@extend_schema_field(
    {"oneOf": [{"$ref": f"#/components/schemas/{kind}"} for kind in ("SFTSpec", "GRPOSpec", "MOPDSpec")]}
)
class StageDocument(serializers.JSONField):
    """A stage as its recipe has it."""


@extend_schema_field(ResolvedStageSpec)  # type: ignore[arg-type]  # SpecSchema explains specs to it
class ResolvedDocument(serializers.JSONField):
    """A stage with its start and its teachers decided."""


class StageDetailOut(StageOut):
    spec = StageDocument(source="document")
    resolved = ResolvedDocument(allow_null=True, help_text="With start and teachers decided; null until it is ready")
    attempts = AttemptOut(many=True)


class LogQuery(serializers.Serializer[Any]):
    max_bytes = serializers.IntegerField(
        min_value=1, max_value=MAX_LOG_BYTES, default=16_384, help_text="How much of the log's end to read"
    )


class LogOut(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="Whole lines from the log's end; empty where nothing was printed")


class RunStages(APIView):
    @operation("list_stages", "List a run's stages in the recipe's order", answer=page_of(StageOut), problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id)
        return whole(run.stages.select_related("run", "starts_from"), StageOut)


class StageDetail(APIView):
    @operation(
        "get_stage",
        "Read a stage with its spec and attempts",
        answer=StageDetailOut,
        problems=(404,),
    )
    def get(self, request: Request, public_id: str) -> Response:
        return Response(StageDetailOut(find_stage(request, public_id)).data)


class RetryStage(APIView):
    @operation(
        "retry_stage",
        "Queue a failed or cancelled stage again",
        about="Queue a failed or cancelled stage again; it goes on from its last whole checkpoint.",
        answer=StageDetailOut,
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        stage = find_stage(request, public_id, needs=Role.RUNNER)
        NoInput(data=request.data).is_valid(raise_exception=True)
        lifecycle.retry_stage(stage)
        return Response(StageDetailOut(find_stage(request, public_id)).data)


class StageLog(APIView):
    @operation(
        "get_stage_log",
        "Read the end of a stage's log",
        answer=LogOut,
        parameters=[LogQuery],
        problems=(404, 422),
    )
    def get(self, request: Request, public_id: str) -> Response:
        stage = find_stage(request, public_id)
        max_bytes = query(request, LogQuery)["max_bytes"]
        return Response({"text": stage_dir.tail(stage_folder(stage).log, max_bytes=max_bytes)})

"""Top-ups: more answers to the same problems, for a change that the scores there are cannot tell from noise."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import top_ups
from runs.api.bodies import Input
from runs.api.find import find_run, person
from runs.api.lists import page_of, whole
from runs.api.openapi import operation
from runs.api.stages import Work
from runs.drift.matrix import ScoreMatrix
from runs.models import Run
from runs.report import drift_report


class ChangeAsked(Input):
    row = serializers.CharField(help_text="The checkpoint: a row's key of the run's drift")
    column = serializers.CharField(help_text="The benchmark's domain")
    reference = serializers.CharField(help_text="The row's key that it is compared with")


class TopUpAsked(ChangeAsked):
    samples = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Answers per problem that you expect it to take; where the scores say otherwise, nothing is queued",
    )


class TopUpOut(Work):
    checkpoint = serializers.CharField(source="checkpoint.public_id")
    benchmark = serializers.CharField(source="benchmark.digest", help_text="The benchmark's digest")
    column = serializers.CharField(source="benchmark.domain")
    samples = serializers.IntegerField(help_text="Answers per problem to have in the end")
    asked_by = serializers.CharField(source="asked_by.username", help_text="Who asked last")


TOP_UPS = page_of(TopUpOut)


class TopUps(APIView):
    @operation("list_top_ups", "List a run's top-ups", answer=TOP_UPS, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return whole(_rows(find_run(request, public_id)), TopUpOut)

    @operation(
        "top_up",
        "Ask for more answers to decide a change",
        about="Queue both checkpoints of an undecided change for as many answers to each problem of the benchmark as would "
        "tell it from noise in 8 of 10 cases, were it as large as it looks; where there is one answer, for as many as tell "
        "luck from difficulty. Codes of 409: no_change, is_decided, not_decidable, scores_changed, already_queued, no_weights.",
        status=202,
        answer=TOP_UPS,
        body=TopUpAsked,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id, needs=top_ups.ASK)
        asked = TopUpAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        row, column, reference, samples = (
            asked.validated_data[name] for name in ("row", "column", "reference", "samples")
        )
        _insist_on_scores(drift_report(run).matrix, column, row=row, reference=reference)
        queued = top_ups.top_up(run, domain=column, before=reference, after=row, by=person(request), seen=samples)
        answer = whole(_rows(run).filter(pk__in=[found.pk for found in queued]), TopUpOut)
        answer.status_code = 202
        return answer


class CancelTopUps(APIView):
    @operation(
        "cancel_top_ups",
        "Cancel the top-ups of a change",
        about="End what is under way for both checkpoints of a change. What was sampled stays, and another top-up goes on "
        "from there. 409 with not_under_way where nothing is.",
        answer=TOP_UPS,
        body=ChangeAsked,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id, needs=top_ups.ASK)
        asked = ChangeAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        row, column, reference = (asked.validated_data[name] for name in ("row", "column", "reference"))
        _insist_on_scores(drift_report(run).matrix, column, row=row, reference=reference)
        ended = top_ups.cancel(run, domain=column, before=reference, after=row, by=person(request))
        return whole(_rows(run).filter(pk__in=[top_up.pk for top_up in ended]), TopUpOut)


def _rows(run: Run) -> Any:
    return run.top_ups.select_related("checkpoint", "benchmark", "asked_by")


def _insist_on_scores(matrix: ScoreMatrix, column: str, **rows: str) -> None:
    """Name the field whose checkpoint has no score of the benchmark."""
    columns = [known.domain for known in matrix.columns]
    if column not in columns:
        words = f"found '{column}', expected one of: {', '.join(columns)}"
        raise ValidationError({"column": ErrorDetail(words, "does_not_exist")})
    scored = [row.key for row in matrix.rows if matrix.cell(row.key, column)]
    for name, row in rows.items():
        if row not in scored:
            words = (
                f"found '{row}', expected a row with a score of {column}: {', '.join(scored) or 'there is none yet'}"
            )
            raise ValidationError({name: ErrorDetail(words, "does_not_exist")})

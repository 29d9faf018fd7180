"""A run's drift as numbers: scores, changes, measures over the whole cascade, and what MOPD won back."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.find import find_run
from runs.api.lists import query
from runs.api.openapi import operation
from runs.drift import SINCE, ScoreMatrix
from runs.report import DriftReport, drift_report


class ReferenceQuery(serializers.Serializer[Any]):
    reference = serializers.ChoiceField(
        choices=SINCE,
        default="start",
        help_text="What changes are counted from: the first SFT stage, the stage before, the best so far in the same "
        "lineage, or the domain's own stage",
    )


def _interval(about: str = "95 %; null where it cannot be known") -> serializers.ListField:
    return serializers.ListField(
        child=serializers.FloatField(), min_length=2, max_length=2, allow_null=True, help_text=about
    )


class DriftRow(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="A stage's name, or 'base'")
    title = serializers.CharField()
    kind = serializers.CharField(help_text="base, sft, grpo or mopd")
    domains = serializers.ListField(child=serializers.CharField(), help_text="What the stage trains")
    starts_from = serializers.CharField(source="parent", allow_null=True, help_text="A row's key")


class DriftColumn(serializers.Serializer[Any]):
    domain = serializers.CharField()
    title = serializers.CharField()
    short_title = serializers.CharField(source="label")
    chance = serializers.FloatField(help_text="Score of guessing, 0 to 1")
    metric = serializers.CharField(help_text="What a problem's result is; empty: the mean of its answers' grades")


class DriftScore(serializers.Serializer[Any]):
    row = serializers.CharField()
    column = serializers.CharField()
    mean = serializers.FloatField(help_text="0 to 1")
    interval = _interval()
    n_items = serializers.IntegerField(source="n")
    samples = serializers.IntegerField(help_text="Answers per problem behind each item's value")
    metric = serializers.CharField(help_text="What each item's value is: avg@8, pass@4 of 8; empty: as published")
    benchmark = serializers.CharField(source="protocol", help_text="The benchmark's digest")


class MidStageScore(DriftScore):
    step = serializers.IntegerField(help_text="Of the row's stage")


class DriftGap(serializers.Serializer[Any]):
    domain = serializers.CharField()
    row = serializers.CharField(help_text="The stage within which the domain fell deepest; empty where none is known")
    step = serializers.IntegerField(allow_null=True)
    depth = serializers.FloatField(allow_null=True, help_text="Score before the stage - lowest in its middle")
    lasting = serializers.FloatField(allow_null=True, help_text="Score before the stage - after it")
    interval = _interval("95 %, of the depth")
    adjusted_p = serializers.FloatField(allow_null=True, help_text="After Holm's correction over the steps")
    reason = serializers.CharField()


class DriftChange(serializers.Serializer[Any]):
    row = serializers.CharField()
    column = serializers.CharField()
    reference = serializers.CharField(allow_null=True, help_text="The row it is compared with")
    difference = serializers.FloatField(allow_null=True, help_text="-1 to 1; null where reason says why")
    interval = _interval("95 %, of this change alone")
    p_value = serializers.FloatField(allow_null=True, help_text="Of this change alone")
    adjusted_p = serializers.FloatField(allow_null=True, help_text="After Holm's correction over the row")
    is_significant = serializers.BooleanField(help_text="adjusted_p below 0.05")
    test = serializers.CharField()
    reason = serializers.CharField()


class DriftMeasure(serializers.Serializer[Any]):
    value = serializers.FloatField(allow_null=True, help_text="null where reason says why")
    interval = _interval()
    parts = serializers.DictField(child=serializers.FloatField(), help_text="Domain -> the part it adds to the mean")
    reason = serializers.CharField()


class DriftMeasures(serializers.Serializer[Any]):
    average = DriftMeasure()
    backward_transfer = DriftMeasure(help_text="BWT; negative: forgotten")
    forgetting = DriftMeasure(help_text="Positive: forgotten")
    forward_transfer = DriftMeasure()
    retention = DriftMeasure(help_text="1: all kept")
    plasticity = DriftMeasure(help_text="What each domain gained in its own stage")


class RecoveredDomain(serializers.Serializer[Any]):
    domain = serializers.CharField()
    teacher = serializers.CharField(source="teacher_row", allow_null=True)
    fraction = serializers.FloatField(allow_null=True, help_text="(after - before) / (teacher - before)")
    interval = _interval()
    is_lost = serializers.BooleanField(help_text="Whether the domain counts in the sum over all")
    reason = serializers.CharField()


class DriftRecovery(serializers.Serializer[Any]):
    row = serializers.CharField(help_text="The MOPD stage")
    before = serializers.CharField(source="before_row", allow_null=True, help_text="The row it starts from")
    fraction = serializers.FloatField(allow_null=True, help_text="Over all lost domains; null where reason says why")
    interval = _interval()
    domains = RecoveredDomain(many=True)
    reason = serializers.CharField()


class DriftOut(serializers.Serializer[Any]):
    run = serializers.CharField()
    reference = serializers.ChoiceField(choices=SINCE)
    verdict = serializers.CharField(help_text="The drift in a sentence")
    rows = DriftRow(many=True)
    columns = DriftColumn(many=True)
    scores = DriftScore(many=True, help_text="Those there are; a missing cell is missing")
    changes = DriftChange(many=True, help_text="A change for every cell")
    measures = DriftMeasures(help_text="Of the last checkpoint that is scored")
    worst_drop = DriftChange(help_text="The largest fall of one domain over one stage; it may be noise")
    recoveries = DriftRecovery(many=True)
    mid_stage_scores = MidStageScore(many=True, help_text="Of stages with score_every; no rows of the matrix")
    stability_gaps = DriftGap(many=True, help_text="Of each domain")


class RunDrift(APIView):
    @operation(
        "get_drift",
        "Read what each stage did to every domain",
        about="Scores on test problems with 95 % intervals, changes with their significance, and the measures of "
        "docs/drift.md. All scores and differences are fractions, 0.01 being a point.",
        answer=DriftOut,
        parameters=[ReferenceQuery],
        problems=(404, 422),
    )
    def get(self, request: Request, public_id: str) -> Response:
        reference = query(request, ReferenceQuery)["reference"]
        report = drift_report(find_run(request, public_id))
        return Response(DriftOut(_drift(public_id, report, reference)).data)


def _drift(run: str, report: DriftReport, reference: Any) -> dict[str, Any]:
    matrix, changes = report.matrix, report.changes[reference]
    return {
        "run": run,
        "reference": reference,
        "verdict": report.verdict,
        "rows": matrix.rows,
        "columns": matrix.columns,
        "scores": _in_order(matrix, matrix.cells),
        "changes": _in_order(matrix, changes),
        "measures": report.summary,
        "worst_drop": report.summary.worst_drop,
        "recoveries": report.recoveries,
        "mid_stage_scores": [
            {**vars(cell), "metric": cell.metric, "step": step}
            for steps in report.during.values()
            for step, cell in sorted(steps.items())
        ],
        "stability_gaps": [{**vars(gap), "domain": domain} for domain, gap in report.stability_gaps.items()],
    }


def _in_order(matrix: ScoreMatrix, cells: Any) -> list[Any]:
    """List what there is by row, then column."""
    keys = [(row.key, column.domain) for row in matrix.rows for column in matrix.columns]
    return [cells[key] for key in keys if key in cells]

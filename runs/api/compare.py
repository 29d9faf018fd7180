"""Runs side by side: stages of one name, last checkpoints and settings against a baseline run."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.drift import DriftChange, DriftColumn
from runs.api.find import find_runs
from runs.api.lists import query
from runs.api.openapi import operation
from runs.drift import ScoreMatrix
from runs.drift.across import MAX_RUNS, align_rows, compare_ends, compare_runs
from runs.matrices import score_matrix
from runs.models import Run, Status
from runs.recipe_settings import ABSENT, differing_settings


class CompareQuery(serializers.Serializer[Any]):
    run = serializers.ListField(
        child=serializers.CharField(max_length=24),
        default=list,
        help_text=f"Id of a run; give it 2 to {MAX_RUNS} times. The runs may be of several projects of yours",
    )
    baseline = serializers.CharField(
        default="", max_length=24, help_text="Id of the one that the others are compared with; left out: the first"
    )

    def validate_run(self, given: list[str]) -> list[str]:
        runs = list(dict.fromkeys(given))
        if not 2 <= len(runs) <= MAX_RUNS:
            words = f"found {len(runs)} different runs, expected 2 to {MAX_RUNS}; write run=ID for each"
            raise ValidationError(ErrorDetail(words, "n_runs"))
        return runs

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        baseline = attrs["baseline"] or attrs["run"][0]
        if baseline not in attrs["run"]:
            words = f"found '{baseline}', expected one of the runs that are compared: {', '.join(attrs['run'])}"
            raise ValidationError({"baseline": ErrorDetail(words, "not_compared")})
        return {**attrs, "baseline": baseline}


class ComparedRun(serializers.Serializer[Any]):
    id = serializers.CharField(source="run.public_id")
    project = serializers.CharField(source="run.project.slug")
    number = serializers.IntegerField(source="run.number")
    name = serializers.CharField(source="run.name")
    status = serializers.ChoiceField(choices=Status.choices, source="run.status")
    is_baseline = serializers.BooleanField()
    last_row = serializers.CharField(allow_null=True, help_text="The last row with a score; null: nothing is scored")
    last_changes = DriftChange(
        many=True,
        help_text="Its last checkpoint against the baseline's, whatever their stages are called; Holm's correction is "
        "over its benchmarks. Empty for the baseline, and where either is not scored",
    )
    changes = DriftChange(
        many=True,
        help_text="Its scores less the baseline's, for every row that both runs have, paired by problem; Holm's "
        "correction is over each row. Empty for the baseline",
    )


class ComparedRow(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="A stage's name, or 'base'")
    runs = serializers.ListField(child=serializers.CharField(), help_text="The runs that have it")


class ComparedSetting(serializers.Serializer[Any]):
    where = serializers.CharField(help_text="recipe, model, stage NAME or benchmark DOMAIN")
    setting = serializers.CharField(help_text="Empty: the stage or benchmark as a whole, which some runs do not have")
    values = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="Run -> value; a run that does not have it is missing"
    )


class ComparisonOut(serializers.Serializer[Any]):
    baseline = serializers.CharField()
    runs = ComparedRun(many=True, help_text="In the order that was asked for")
    rows = ComparedRow(many=True, help_text="The rows of all runs in one order, aligned by name")
    columns = DriftColumn(many=True)
    settings = ComparedSetting(many=True, help_text="Those in which any of the runs differ")


class Comparison(APIView):
    @operation(
        "compare_runs",
        "Compare runs with a baseline",
        about="Compare 2 to 20 runs: rows aligned by name, scores less the baseline's with paired 95 % intervals and adjusted "
        "p-values (or the reason why two scores may not be compared), and the settings that differ.",
        answer=ComparisonOut,
        parameters=[CompareQuery],
        problems=(404, 422),
    )
    def get(self, request: Request) -> Response:
        asked = query(request, CompareQuery)
        return Response(ComparisonOut(_comparison(find_runs(request, asked["run"]), asked["baseline"])).data)


def _comparison(runs: Sequence[Run], baseline: str) -> dict[str, Any]:
    matrices = {run.public_id: score_matrix(run) for run in runs}
    columns = {column.domain: column for matrix in matrices.values() for column in matrix.columns}
    return {
        "baseline": baseline,
        "runs": [
            _compared(run, matrices[run.public_id], matrices[baseline], run.public_id == baseline) for run in runs
        ],
        "rows": [{"key": key, "runs": _having(key, matrices)} for key in align_rows(list(matrices.values()))],
        "columns": list(columns.values()),
        "settings": [
            {"where": where, "setting": setting, "values": _present(runs, values)}
            for (where, setting), values in differing_settings(runs)
        ],
    }


def _compared(run: Run, ours: ScoreMatrix, baseline: ScoreMatrix, is_baseline: bool) -> dict[str, Any]:
    final = ours.final_row()
    return {
        "run": run,
        "is_baseline": is_baseline,
        "last_row": final.key if final else None,
        "last_changes": [] if is_baseline else compare_ends(baseline, ours),
        "changes": [] if is_baseline else list(compare_runs(baseline, ours).values()),
    }


def _having(key: str, matrices: dict[str, ScoreMatrix]) -> list[str]:
    return [run for run, matrix in matrices.items() if any(row.key == key for row in matrix.rows)]


def _present(runs: Sequence[Run], values: Sequence[Any]) -> dict[str, Any]:
    return {run.public_id: value for run, value in zip(runs, values, strict=True) if value is not ABSENT}

"""What the gates of a run's recipe found."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.find import find_run
from runs.api.lists import page_of, whole
from runs.api.openapi import operation
from runs.models import GateCheck, GateOutcome


class GateCheckOut(serializers.Serializer[Any]):
    gate = serializers.IntegerField(source="position", help_text="Place in the recipe's gates, from 0")
    checkpoint = serializers.CharField(source="checkpoint.public_id")
    stage = serializers.CharField(source="checkpoint.stage.name")
    outcome = serializers.ChoiceField(choices=GateOutcome.choices)
    words = serializers.CharField(help_text="The gate, the numbers and the reason")
    changes = serializers.ListField(
        child=serializers.DictField(), help_text="What it looked at, the largest loss first; p_value after Holm"
    )
    created_at = serializers.DateTimeField()
    approved_by = serializers.CharField(source="approved_by.username", allow_null=True, default=None)
    approved_at = serializers.DateTimeField(allow_null=True)


class RunGates(APIView):
    @operation(
        "list_gate_checks", "List what the gates of a run's recipe found", answer=page_of(GateCheckOut), problems=(404,)
    )
    def get(self, request: Request, public_id: str) -> Response:
        checks = GateCheck.objects.filter(checkpoint__run=find_run(request, public_id))
        return whole(checks.select_related("checkpoint__stage", "approved_by"), GateCheckOut)

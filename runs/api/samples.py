"""The sample rows of a preset, in a project: what it has of them, and having the others read."""

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.access import project_for
from runs.api.data_sets import DataSetSummary
from runs.api.find import person
from runs.api.lists import page_of, whole
from runs.api.openapi import operation
from runs.models import Role
from runs.presets import preset_names
from runs.samples import register_samples, samples_of


class SampleOut(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Of the data set, which the preset's recipe names as a domain")
    n_rows = serializers.IntegerField(help_text="Rows that ship with the preset")
    digest = serializers.CharField(source="pin.digest", help_text="SHA-256 of the rows, which the recipe pins")
    is_ready = serializers.BooleanField(help_text="Whether the project has read them, so that the recipe can be saved")
    failure = serializers.CharField(help_text="Why they cannot be used; empty where they can, or may yet")
    data_set = DataSetSummary(allow_null=True, help_text="The project's data set; null before it is registered")


SAMPLES = page_of(SampleOut)


class PresetSamples(APIView):
    @operation(
        "list_preset_samples",
        "List the sample rows of a preset, and what the project has of them",
        about="Empty for a preset that trains on no rows of its own.",
        answer=SAMPLES,
        problems=(404,),
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        project = project_for(person(request), slug)
        return whole(samples_of(_known(name), project), SampleOut)

    @operation(
        "register_preset_samples",
        "Register the sample rows of a preset",
        about="Register what the project lacks, by the ordinary path: a worker reads the rows in some seconds. When all are "
        "ready, the preset's recipe can be saved. Safe to repeat; what failed is read again.",
        answer=SAMPLES,
        status=202,
        problems=(404,),
    )
    def post(self, request: Request, slug: str, name: str) -> Response:
        project = project_for(person(request), slug, needs=Role.RUNNER)
        answer = whole(register_samples(_known(name), project=project, user=person(request)), SampleOut)
        answer.status_code = 202
        return answer


def _known(name: str) -> str:
    if name not in preset_names():
        raise Http404(f"there is no preset '{name}', but: {', '.join(preset_names())}")
    return name

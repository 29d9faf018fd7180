"""Data sets: rows registered by upload or path, in versions, and what was found in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field
from pydantic import BaseModel
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from runs.access import project_for
from runs.api.bodies import Input, JSONBody
from runs.api.find import find_data_set, person
from runs.api.lists import MAX_LIMIT, Paging, page_of, paged, query
from runs.api.openapi import operation
from runs.data_sets import DataSetError, delete_data_set, folder_of, records_of, register_path, register_upload
from runs.models import DataSet, Role, Status
from workers.catalogue import GRADERS
from workers.data_dir import BadRowRecord, DataDir, DataSourceSpec, DataSummary, RowRecord

_USES, _FORMS = ("split", "train", "benchmark"), ("auto", "plain", "nemo_gym")
EXAMPLE = OpenApiExample(
    "A file on the server",
    value={"name": "arithmetic", "path": "/data/team/arithmetic.jsonl", "grader": "maths"},
    request_only=True,
    media_type="application/json",
)


@extend_schema_field(DataSummary)  # type: ignore[arg-type]  # drf-spectacular's own extension explains pydantic's models to it
class FoundInRows(serializers.JSONField):
    """A data set's summary, as its folder has it."""


class _Asked(Input):
    name = serializers.RegexField(
        r"^[a-z][a-z0-9_-]{0,39}\Z", help_text="Recipes name it as a domain; a name that is there gets a new version"
    )
    use = serializers.ChoiceField(_USES, default="split", help_text="Training, measuring, or both by a split")
    grader = serializers.ChoiceField(list(GRADERS), default="", allow_blank=True, help_text="Of rows that name none")
    form = serializers.ChoiceField(_FORMS, default="auto", help_text="How a row is written; auto tells by each row")


class RegisterPath(_Asked):
    path = serializers.CharField(
        max_length=1000, help_text="A file or saved data set below one of the server's DATA_DIRS"
    )


class RegisterUpload(_Asked):
    file = serializers.FileField(help_text="JSONL, plain or gzipped (.jsonl.gz)")


class DataSetSummary(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    version = serializers.IntegerField(help_text="Counts the data sets of this name in the project, from 1")
    status = serializers.ChoiceField(Status.choices, source="shown_status", help_text="Of its registration")
    n_rows_read = serializers.IntegerField(source="step", help_text="So far, while it is read")
    failure_reason = serializers.CharField(help_text="Why the rows were not read; empty where they were")
    origin = serializers.CharField(source="source", help_text="The file's own name, or the path")
    use = serializers.CharField()
    grader = serializers.CharField()
    form = serializers.CharField()
    digest = serializers.CharField(help_text="SHA-256 of the rows, which recipes pin; empty until they are read")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username")


class DataSetOut(DataSetSummary):
    project = serializers.CharField(source="project.slug")
    summary = FoundInRows(allow_null=True, help_text="What the rows hold; null until they are read")


class MessageOut(serializers.Serializer[Any]):
    role = serializers.CharField()
    content = serializers.CharField()


class RowOut(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="A hash of what is asked")
    line = serializers.IntegerField(help_text="In the source, from 1")
    split = serializers.CharField()
    messages = MessageOut(many=True)
    tools = serializers.ListField(child=serializers.DictField())
    grader = serializers.CharField()
    reference = serializers.DictField()
    response = serializers.CharField()


class BadRowOut(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="In the source, from 1")
    reason = serializers.CharField()
    text = serializers.CharField(help_text="Its beginning")


class Place(serializers.Serializer[Any]):
    """Query parameters of a list of rows."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=100, help_text="Most results to answer.")
    cursor = serializers.IntegerField(
        min_value=0, default=0, help_text="The next_cursor of the page before; left out for the first."
    )


class DataSets(APIView):
    parser_classes = (JSONBody, MultiPartParser)

    @operation(
        "list_data_sets",
        "List a project's data sets, newest first",
        answer=page_of(DataSetSummary),
        parameters=[Paging],
        problems=(404, 422),
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = DataSet.objects.filter(project=project_for(person(request), slug)).select_related("created_by")
        return paged(request, rows, DataSetSummary, key="public_id", order="-pk")

    @operation(
        "register_data_set",
        "Register rows",
        about="Register rows as the next version of a data set: a file as multipart/form-data, or, as JSON, a path on the server. "
        "They are read by a worker; the status tells when they can be named in recipes.",
        status=201,
        answer=DataSetOut,
        body={"application/json": RegisterPath, "multipart/form-data": RegisterUpload},
        problems=(404,),
        examples=[EXAMPLE],
    )
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug, needs=Role.RUNNER)
        is_upload = request.content_type.startswith("multipart/")
        asked = (RegisterUpload if is_upload else RegisterPath)(data=request.data)
        asked.is_valid(raise_exception=True)
        given: dict[str, Any] = asked.validated_data
        common = {field: given[field] for field in ("name", "form", "grader", "use")}
        spec = DataSourceSpec(source=given.get("path", "source"), **common)
        try:
            if is_upload:
                added = register_upload(project=project, user=person(request), asked=spec, file=given["file"])
            else:
                added = register_path(project=project, user=person(request), asked=spec)
        except DataSetError as error:
            raise ValidationError({error.field: ErrorDetail(str(error), "refused")}) from None
        location = reverse("api-data-set", args=[added.public_id])
        return Response(DataSetOut(added).data, status=201, headers={"Location": location})


class DataSetDetail(APIView):
    @operation("get_data_set", "Read a data set", answer=DataSetOut, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return Response(DataSetOut(find_data_set(request, public_id)).data)

    @operation(
        "delete_data_set",
        "Delete a data set that nothing needs",
        about="Delete a version with its rows. 409 with in_use while a recipe or run names them.",
        answer={204: None},
        problems=(404, 409),
    )
    def delete(self, request: Request, public_id: str) -> Response:
        delete_data_set(find_data_set(request, public_id, needs=Role.RUNNER), by=person(request))
        return Response(status=204)


class DataSetRows(APIView):
    @operation(
        "list_data_set_rows",
        "List the rows of a data set, in the order of its source",
        answer=page_of(RowOut),
        parameters=[Place],
        problems=(404, 422),
    )
    def get(self, request: Request, public_id: str) -> Response:
        return _records(request, public_id, lambda folder: folder.rows, RowRecord, of=(Status.SUCCEEDED,))


class DataSetBadRows(APIView):
    @operation(
        "list_data_set_bad_rows",
        "List the rows that cannot be used, with line and reason",
        answer=page_of(BadRowOut),
        parameters=[Place],
        problems=(404, 422),
    )
    def get(self, request: Request, public_id: str) -> Response:
        of = (Status.SUCCEEDED, Status.FAILED)  # where no row can be used, all reasons are here
        return _records(request, public_id, lambda folder: folder.bad_rows, BadRowRecord, of=of)


def _records(
    request: Request, public_id: str, file: Callable[[DataDir], Path], kind: type[BaseModel], *, of: tuple[Status, ...]
) -> Response:
    """Answer a page of a file of records; none while the data set has another status than `of`."""
    data_set, asked = find_data_set(request, public_id), query(request, Place)
    start, limit = asked["cursor"], asked["limit"]
    found = records_of(file(folder_of(data_set)), kind, start=start, n=limit + 1) if data_set.status in of else []
    more = str(start + limit) if len(found) > limit else None
    return Response({"results": [record.model_dump(mode="json") for record in found[:limit]], "next_cursor": more})

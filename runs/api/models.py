"""Models: base models of a project, registered from a folder or the hub, and what was found of them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from runs.access import project_for
from runs.api.bodies import Input
from runs.api.find import find_model, person
from runs.api.lists import Paging, page_of, paged, whole
from runs.api.openapi import operation
from runs.lifecycle import read_again
from runs.models import RegisteredModel, Role, Status
from runs.registered_models import ModelError, model_folders, register_folder, register_hub, remove
from workers.model_dir import ModelFacts

EXAMPLE = OpenApiExample("A folder below MODELS_DIR", value={"folder": "Qwen3-0.6B"}, request_only=True)


@extend_schema_field(ModelFacts)  # type: ignore[arg-type]  # drf-spectacular's own extension explains pydantic's models to it
class FoundInModel(serializers.JSONField):
    """A model's facts, as its folder has them."""


class RegisterModel(Input):
    folder = serializers.CharField(
        default="", allow_blank=True, max_length=200, help_text="Name of its folder below MODELS_DIR; or give hub"
    )
    hub = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=200,
        help_text="Owner/name on the hub, where the operator allows downloads",
    )
    revision = serializers.CharField(
        default="", allow_blank=True, max_length=100, help_text="With hub: a branch, a tag or a commit"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["folder"]) == bool(attrs["hub"]):
            words = f"found {'both folder and hub' if attrs['hub'] else 'neither folder nor hub'}, expected one of them"
            raise ValidationError({"folder": ErrorDetail(words, "one_of_two")})
        return attrs


class ModelSummary(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    folder = serializers.CharField(help_text="Below MODELS_DIR, as recipes name it")
    hub = serializers.CharField(help_text="What it was downloaded from; empty where it was there")
    revision = serializers.CharField(help_text="As it was asked for")
    status = serializers.ChoiceField(Status.choices, source="shown_status", help_text="Of the look at it")
    failure_reason = serializers.CharField(help_text="Why it cannot be used; empty where it can")
    digest = serializers.CharField(help_text="SHA-256 of the weights; empty until they are read")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username")


class ModelOut(ModelSummary):
    project = serializers.CharField(source="project.slug")
    facts = FoundInModel(source="found", allow_null=True, help_text="What it is; null until it was looked at")


class FolderOut(serializers.Serializer[Any]):
    folder = serializers.CharField()


class Models(APIView):
    @operation(
        "list_models",
        "List a project's models, newest first",
        answer=page_of(ModelSummary),
        parameters=[Paging],
        problems=(404, 422),
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = RegisteredModel.objects.filter(project=project_for(person(request), slug)).select_related("created_by")
        return paged(request, rows, ModelSummary, key="public_id", order="-pk")

    @operation(
        "register_model",
        "Register a model",
        about="Register a folder below MODELS_DIR, or have a model of the hub downloaded there. A worker looks at it; the status tells "
        "when recipes are checked against what it found. A folder that is registered already is answered as it is, with 200.",
        answer={201: ModelOut, 200: ModelOut},
        body=RegisterModel,
        problems=(404,),
        examples=[EXAMPLE],
    )
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug, needs=Role.RUNNER)
        asked = RegisterModel(data=request.data)
        asked.is_valid(raise_exception=True)
        given: dict[str, Any] = asked.validated_data
        try:
            if given["hub"]:
                source = {"hub": given["hub"], "revision": given["revision"]}
                found, is_new = register_hub(project=project, user=person(request), **source)
            else:
                found, is_new = register_folder(project=project, user=person(request), folder=given["folder"])
        except ModelError as error:
            raise ValidationError({error.field: ErrorDetail(str(error), "refused")}) from None
        location = reverse("api-model", args=[found.public_id])
        return Response(ModelOut(found).data, status=201 if is_new else 200, headers={"Location": location})


class ModelFolders(APIView):
    @operation(
        "list_model_folders",
        "List the folders below MODELS_DIR that can be registered",
        answer=page_of(FolderOut),
        problems=(404,),
    )
    def get(self, request: Request, slug: str) -> Response:
        project_for(person(request), slug)
        return whole([{"folder": folder} for folder in model_folders()], FolderOut)


class ModelDetail(APIView):
    @operation("get_model", "Read a model", answer=ModelOut, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return Response(ModelOut(find_model(request, public_id)).data)

    @operation(
        "remove_model",
        "Remove a registration",
        about="Forget a model. Its files stay, and so do recipes that name its folder. Code of 409: in_use, while a run that is not over "
        "trains it.",
        status=204,
        answer=None,
        problems=(403, 404, 409),
    )
    def delete(self, request: Request, public_id: str) -> Response:
        remove(find_model(request, public_id, needs=Role.RUNNER), by=person(request))
        return Response(status=204)


class RetryModel(APIView):
    @operation(
        "retry_model",
        "Look at a model again",
        about="Queue a look that failed; a download goes on where it stopped. Harmless where it did not fail.",
        answer=ModelOut,
        body=None,
        problems=(403, 404),
    )
    def post(self, request: Request, public_id: str) -> Response:
        found = find_model(request, public_id, needs=Role.RUNNER)
        read_again(found)
        found.refresh_from_db()
        return Response(ModelOut(found).data)

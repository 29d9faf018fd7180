"""What leaves with a sign-off: the model card, and the promoted checkpoint as an archive."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs import exports
from runs.api.bodies import NoInput
from runs.api.find import find_proposal, person
from runs.api.openapi import operation
from runs.cards import sign_off_card
from runs.standings import standing_of


class MarkdownAnswer(BaseRenderer):
    """Names the media type; the view writes the text itself."""

    media_type = "text/markdown"
    format = "md"


class ArchiveAnswer(BaseRenderer):
    """Names the media type; the view sends the archive itself."""

    media_type = exports.MEDIA_TYPE
    format = "tar"


class ExportFile(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Path in the checkpoint's folder")
    n_bytes = serializers.IntegerField()


class ExportOut(serializers.Serializer[Any]):
    folder = serializers.CharField(source="stem", help_text="The folder in the archive")
    n_bytes = serializers.IntegerField(help_text="Of all files together")
    files = ExportFile(source="members", many=True)


class ProposalCard(APIView):
    renderer_classes = (MarkdownAnswer,)

    @operation(
        "get_model_card",
        "Read the model card of a proposed checkpoint",
        about="Read the model card as Markdown: recipe, lineage, settings, the scores that were frozen, and who decided "
        "what when.",
        answer={(200, MarkdownAnswer.media_type): OpenApiTypes.STR},
        problems=(404,),
    )
    def get(self, request: Request, public_id: str) -> HttpResponse:
        card = sign_off_card(standing_of(find_proposal(request, public_id)))
        return HttpResponse(card, f"{MarkdownAnswer.media_type}; charset=utf-8")


class ProposalFiles(APIView):
    @operation(
        "list_export_files",
        "List what an export would hold",
        about="List the files and sizes of an export before it is asked for. Code of 409: weights_missing.",
        answer=ExportOut,
        problems=(404, 409),
    )
    def get(self, request: Request, public_id: str) -> Response:
        return Response(ExportOut(exports.find_export(standing_of(find_proposal(request, public_id)))).data)


class ExportProposal(APIView):
    renderer_classes = (ArchiveAnswer,)

    @operation(
        "export_checkpoint",
        "Export a promoted checkpoint",
        about="Send a promoted checkpoint as a tar archive: one folder in Hugging Face layout, safetensors, with its model "
        "card as README.md. The files are compared with their checksums first. Each export is in the audit log. "
        "Codes of 409: not_promoted, weights_missing, weights_damaged.",
        answer={(200, exports.MEDIA_TYPE): OpenApiTypes.BINARY},
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> StreamingHttpResponse:
        proposal = find_proposal(request, public_id, needs=exports.EXPORT)
        NoInput(data=request.data).is_valid(raise_exception=True)
        return exports.answer(exports.begin_export(standing_of(proposal), by=person(request)))

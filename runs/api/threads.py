"""Discussion: threads about places in a run, their comments, and the notices of them."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from runs import discussions, notices
from runs.anchors import Anchor, AnchorError, anchor_of, anchor_url, anchor_words, stored_anchor
from runs.api.bodies import Input, NoInput
from runs.api.find import find_comment, find_run, find_thread, person
from runs.api.lists import Paging, page_of, paged
from runs.api.openapi import operation
from runs.models import NoticeKind, Run, Thread

EXAMPLE = OpenApiExample(
    "A cell of the matrix",
    value={"anchor": {"kind": "cell", "row": "mopd", "domain": "stem"}, "text": "lost since SFT; @grace, why?"},
    request_only=True,
)
ABOUT_ANCHORS = (
    "An anchor's kind is run; stage (stage); cell (row, domain); item (row, domain, item); rollout (stage, step, group "
    "from 1); or point (stage, metric, step). A row is a stage's name, or base."
)


@extend_schema_field(OpenApiTypes.OBJECT)
class AnchorField(serializers.JSONField):
    """A place in a run."""


class EditOut(serializers.Serializer[Any]):
    text = serializers.CharField()
    written_at = serializers.DateTimeField()


class CommentOut(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    author = serializers.CharField(source="author.username")
    text = serializers.CharField(help_text="Plain text; empty where it was deleted")
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    edits = EditOut(many=True, help_text="What it said before, the oldest first")


class ThreadSummary(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    run = serializers.CharField(source="run.public_id")
    anchor = AnchorField()
    about = serializers.SerializerMethodField(help_text="The place in words")
    url = serializers.SerializerMethodField(help_text="The page that shows the place")
    created_by = serializers.CharField(source="created_by.username")
    created_at = serializers.DateTimeField()
    resolved_by = serializers.CharField(source="resolved_by.username", allow_null=True, default=None)
    resolved_at = serializers.DateTimeField(allow_null=True)

    def get_about(self, thread: Thread) -> str:
        return anchor_words(stored_anchor(thread.anchor))

    def get_url(self, thread: Thread) -> str:
        return anchor_url(stored_anchor(thread.anchor), thread.run)


class ThreadOut(ThreadSummary):
    comments = CommentOut(many=True)


class NoticeOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    kind = serializers.ChoiceField(choices=NoticeKind.choices)
    actor = serializers.CharField(
        source="actor.username", allow_null=True, default=None, help_text="null: a gate of a run's recipe"
    )
    project = serializers.CharField(source="project.slug")
    thread = serializers.CharField(source="comment.thread.public_id", allow_null=True, default=None)
    comment = serializers.CharField(source="comment.public_id", allow_null=True, default=None)
    proposal = serializers.CharField(source="proposal.public_id", allow_null=True, default=None)
    run = serializers.CharField(
        source="gate_check.checkpoint.run.public_id", allow_null=True, default=None, help_text="What a gate is about"
    )
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class Words(Input):
    text = serializers.CharField(max_length=discussions.MAX_TEXT, help_text="Plain text; @name tells a member")


class StartThread(Words):
    anchor = AnchorField(help_text=ABOUT_ANCHORS)


class ReadNotices(Input):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), default=None, help_text="Left out: all"
    )


class ReadCount(serializers.Serializer[Any]):
    marked = serializers.IntegerField(help_text="How many were unread")


class Threads(APIView):
    @operation(
        "list_threads", "List a run's threads, newest first", answer=page_of(ThreadSummary), parameters=[Paging],
        problems=(404, 422),
    )  # fmt: skip
    def get(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id)
        threads = Thread.objects.filter(run=run).select_related("run__project", "created_by", "resolved_by")
        return paged(request, threads, ThreadSummary, key="public_id", order="-pk")

    @operation(
        "start_thread", "Start a thread about a place in a run", about=f"Start a thread with its first comment. {ABOUT_ANCHORS}",
        status=201, answer=ThreadOut, body=StartThread, problems=(404,), examples=[EXAMPLE],
    )  # fmt: skip
    def post(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id, needs=discussions.COMMENT)
        asked = StartThread(data=request.data)
        asked.is_valid(raise_exception=True)
        anchor = _anchor(asked.validated_data["anchor"], run)
        thread = discussions.start_thread(run, anchor, asked.validated_data["text"], by=person(request))
        headers = {"Location": reverse("api-thread", args=[thread.public_id])}
        return Response(ThreadOut(thread).data, status=201, headers=headers)


class ThreadDetail(APIView):
    @operation("get_thread", "Read a thread with its comments", answer=ThreadOut, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return Response(ThreadOut(find_thread(request, public_id)).data)


class Comments(APIView):
    @operation("reply", "Add a comment to a thread", status=201, answer=CommentOut, body=Words, problems=(404,))
    def post(self, request: Request, public_id: str) -> Response:
        thread = find_thread(request, public_id, needs=discussions.COMMENT)
        comment = discussions.reply(thread, _text(request), by=person(request))
        return Response(CommentOut(comment).data, status=201)


class ResolveThread(APIView):
    @operation("resolve_thread", "Resolve a thread", answer=ThreadOut, body=NoInput, problems=(404, 409))
    def post(self, request: Request, public_id: str) -> Response:
        thread = find_thread(request, public_id, needs=discussions.COMMENT)
        NoInput(data=request.data).is_valid(raise_exception=True)
        discussions.resolve(thread, by=person(request))
        return Response(ThreadOut(find_thread(request, public_id)).data)


class ReopenThread(APIView):
    @operation("reopen_thread", "Reopen a resolved thread", answer=ThreadOut, body=NoInput, problems=(404, 409))
    def post(self, request: Request, public_id: str) -> Response:
        thread = find_thread(request, public_id, needs=discussions.COMMENT)
        NoInput(data=request.data).is_valid(raise_exception=True)
        discussions.reopen(thread)
        return Response(ThreadOut(find_thread(request, public_id)).data)


class CommentDetail(APIView):
    @operation("get_comment", "Read a comment", answer=CommentOut, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return Response(CommentOut(find_comment(request, public_id)).data)

    @operation(
        "edit_comment", "Edit your comment", about="Change your own words; what they were stays in edits.",
        answer=CommentOut, body=Words, problems=(404, 409),
    )  # fmt: skip
    def patch(self, request: Request, public_id: str) -> Response:
        comment = find_comment(request, public_id, needs=discussions.COMMENT)
        discussions.edit(comment, _text(request), by=person(request))
        return Response(CommentOut(comment).data)

    @operation(
        "delete_comment", "Delete your comment", about="Take your own words back, earlier ones too; a tombstone stays.",
        answer={204: None}, problems=(403, 404, 409),
    )  # fmt: skip
    def delete(self, request: Request, public_id: str) -> Response:
        discussions.delete(find_comment(request, public_id, needs=discussions.COMMENT), by=person(request))
        return Response(status=204)


class Notices(APIView):
    @operation("list_notices", "List your notices, newest first", answer=page_of(NoticeOut), parameters=[Paging], problems=(422,))  # fmt: skip
    def get(self, request: Request) -> Response:
        mine = notices.notices_of(person(request)).select_related(
            "actor", "project", "comment__thread", "proposal", "gate_check__checkpoint__run"
        )
        return paged(request, mine, NoticeOut, key="pk", order="-pk")


class ReadNoticesView(APIView):
    @operation("read_notices", "Mark your notices read", answer=ReadCount, body=ReadNotices)
    def post(self, request: Request) -> Response:
        asked = ReadNotices(data=request.data)
        asked.is_valid(raise_exception=True)
        mine, ids = notices.notices_of(person(request)), asked.validated_data["ids"]
        return Response({"marked": notices.mark_read(mine if ids is None else mine.filter(pk__in=ids))})


def _text(request: Request) -> str:
    asked = Words(data=request.data)
    asked.is_valid(raise_exception=True)
    text: str = asked.validated_data["text"]
    return text


def _anchor(document: Any, run: Run) -> Anchor:
    try:
        return anchor_of(document, run)
    except AnchorError as error:
        raise ValidationError({"anchor": ErrorDetail(str(error), "bad_anchor")}) from None

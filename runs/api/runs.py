"""Runs: start, follow, pause, resume, cancel, retry."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from runs import holds, lifecycle, statuses
from runs.access import project_for, role_in
from runs.api.bodies import Input, NoInput
from runs.api.find import find_run, person, with_work
from runs.api.lists import Paging, page_of, paged
from runs.api.openapi import operation
from runs.api.stages import StageSummary
from runs.models import Project, Recipe, Role, Run, Status

EXAMPLE = OpenApiExample(
    "A name and a seed of its own",
    value={"recipe": "rec_4t9k2m7q0xw8a1bc", "name": "brave otter", "seed": 11},
    request_only=True,
)


class RunRecipe(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    version = serializers.IntegerField()


class RunSummary(serializers.Serializer[Any]):
    id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.slug")
    number = serializers.IntegerField(help_text="Counts the project's runs, from 1")
    name = serializers.CharField()
    recipe = RunRecipe()
    status = serializers.ChoiceField(choices=Status.choices, help_text="Derived from its stages and their scoring")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(source="created_by.username")
    published = serializers.SerializerMethodField(
        help_text="Where the results were published; null for a run of this server. Published results have no weights, "
        "items or intervals"
    )
    stages = StageSummary(many=True)

    def get_published(self, run: Run) -> str | None:
        return run.published["source"] if run.published else None


class RunOut(RunSummary):
    seed = serializers.IntegerField(source="document.seed")
    held_at = serializers.DateTimeField(allow_null=True, help_text="While it is set, no queued stage is claimed")
    held_by = serializers.CharField(
        source="held_by.username",
        allow_null=True,
        default=None,
        help_text="null while it is held: a gate of its recipe",
    )
    hold_reason = serializers.CharField()
    actions = serializers.SerializerMethodField(help_text="What you may do with it now")

    def get_actions(self, run: Run) -> list[str]:
        role = role_in(person(self.context["request"]), run.project)
        return statuses.possible_actions(run) if role and role.may(Role.RUNNER) else []


class StartRun(Input):
    recipe = serializers.CharField(max_length=24, help_text="Id of a recipe of this project")
    name = serializers.CharField(max_length=60, default="", allow_blank=True, help_text="Left out: the recipe's")
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=None, help_text="Left out: the recipe's")


class HoldRun(Input):
    reason = serializers.CharField(
        max_length=holds.MAX_REASON, help_text="Why; shown on the run and kept in the audit log"
    )


class ReleaseRun(Input):
    held_at = serializers.DateTimeField(
        default=None, help_text="Of the hold you looked at; refused if the run is held for more by now"
    )


class Runs(APIView):
    @operation(
        "list_runs",
        "List a project's runs, newest first",
        answer=page_of(RunSummary),
        parameters=[Paging],
        problems=(404, 422),
    )
    def get(self, request: Request, slug: str) -> Response:
        runs = Run.objects.filter(project=project_for(person(request), slug))
        return paged(request, with_work(runs), RunSummary, key="public_id", order="-number")

    @operation(
        "start_run",
        "Start a run of a recipe",
        status=201,
        answer=RunOut,
        body=StartRun,
        problems=(404,),
        examples=[EXAMPLE],
    )
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug, needs=Role.RUNNER)
        asked = StartRun(data=request.data)
        asked.is_valid(raise_exception=True)
        run = lifecycle.start_run(
            project=project,
            recipe=_recipe(project, asked.validated_data["recipe"]),
            user=person(request),
            name=asked.validated_data["name"],
            seed=asked.validated_data["seed"],
        )
        headers = {"Location": reverse("api-run", args=[run.public_id])}
        return Response(_run_out(request, run.public_id), status=201, headers=headers)


class RunDetail(APIView):
    @operation("get_run", "Read a run", answer=RunOut, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return Response(_run_out(request, public_id))


class PauseRun(APIView):
    @operation(
        "pause_run",
        "Pause a run",
        about="Hold a run: what is at work writes a checkpoint and stops.",
        answer=RunOut,
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        return _act(request, public_id, lifecycle.pause)


class ResumeRun(APIView):
    @operation(
        "resume_run",
        "Resume a paused run",
        about="Let a paused run go on from its last checkpoint.",
        answer=RunOut,
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        return _act(request, public_id, lifecycle.resume)


class CancelRun(APIView):
    @operation(
        "cancel_run",
        "Cancel a run",
        about="End a run for good; checkpoints and scores that exist stay.",
        answer=RunOut,
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        return _act(request, public_id, lifecycle.cancel)


class RetryRun(APIView):
    @operation(
        "retry_run",
        "Retry a run",
        about="Queue again what failed or was cancelled; a stage goes on from its last whole checkpoint.",
        answer=RunOut,
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        return _act(request, public_id, lifecycle.retry)


class Hold(APIView):
    @operation(
        "hold_run",
        "Hold a run",
        about="Let what runs finish and be scored, and no further stage start until the run is released. "
        "Codes of 409: already_held, nothing_to_hold.",
        answer=RunOut,
        body=HoldRun,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id, needs=holds.HOLD)
        asked = HoldRun(data=request.data)
        asked.is_valid(raise_exception=True)
        holds.hold(run, reason=asked.validated_data["reason"], by=person(request))
        return Response(_run_out(request, public_id))


class Release(APIView):
    @operation(
        "release_run",
        "Release a held run",
        about="Let a held run go on; who held it may, and maintainers. What a gate holds, every reviewer may approve by "
        "this. Codes of 409: not_held, other_hold.",
        answer=RunOut,
        body=ReleaseRun,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        run = find_run(request, public_id, needs=holds.HOLD)
        asked = ReleaseRun(data=request.data)
        asked.is_valid(raise_exception=True)
        seen = asked.validated_data["held_at"]
        holds.release(run, by=person(request), seen=seen.astimezone(UTC).isoformat() if seen else "")
        return Response(_run_out(request, public_id))


def _act(request: Request, public_id: str, act: Callable[[Run], None]) -> Response:
    run = find_run(request, public_id, needs=Role.RUNNER)
    NoInput(data=request.data).is_valid(raise_exception=True)
    act(run)
    return Response(_run_out(request, public_id))


def _recipe(project: Project, public_id: str) -> Recipe:
    recipe = Recipe.objects.filter(project=project, public_id=public_id).first()
    if recipe is None:
        words = f"found '{public_id}', expected the id of a recipe of {project.name}; list its recipes to see them"
        raise ValidationError({"recipe": ErrorDetail(words, "does_not_exist")})
    return recipe


def _run_out(request: Request, public_id: str) -> dict[str, Any]:
    return dict(RunOut(find_run(request, public_id), context={"request": request}).data)

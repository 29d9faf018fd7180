"""Rows by their public ids, for one person: Http404 where it is not theirs to see, RoleTooLowError where not to do."""

from typing import TypeVar

from django.contrib.auth.models import User
from django.db.models import Model, Prefetch, QuerySet
from django.http import Http404
from rest_framework.request import Request

from runs.access import projects_of, require
from runs.models import (
    Checkpoint,
    Comment,
    DataSet,
    Project,
    Proposal,
    Recipe,
    RegisteredModel,
    Role,
    Run,
    Stage,
    Thread,
)

Row = TypeVar("Row", bound=Model)


def person(request: Request) -> User:
    """The signed-in person; views are only reached by one."""
    assert isinstance(request.user, User)
    return request.user


def find_recipe(request: Request, public_id: str) -> Recipe:
    recipe = _one(Recipe.objects.select_related("project", "created_by"), public_id)
    _allow(request, recipe.project, Role.VIEWER)
    return recipe


def find_data_set(request: Request, public_id: str, *, needs: Role = Role.VIEWER) -> DataSet:
    data_set = _one(DataSet.objects.select_related("project", "created_by"), public_id)
    _allow(request, data_set.project, needs)
    return data_set


def find_model(request: Request, public_id: str, *, needs: Role = Role.VIEWER) -> RegisteredModel:
    model = _one(RegisteredModel.objects.select_related("project", "created_by"), public_id)
    _allow(request, model.project, needs)
    return model


def find_run(request: Request, public_id: str, *, needs: Role = Role.VIEWER) -> Run:
    """Find a run with all that its status is derived from."""
    run = _one(with_work(Run.objects.all()), public_id)
    _allow(request, run.project, needs)
    return run


def find_runs(request: Request, public_ids: list[str]) -> list[Run]:
    """Find runs, of one project or of several, in the order of their ids; one that is not there is named."""
    rows = with_work(Run.objects.filter(public_id__in=public_ids, project__in=projects_of(person(request))))
    found = {run.public_id: run for run in rows}
    missing = [public_id for public_id in public_ids if public_id not in found]
    if missing:
        raise Http404(f"there is no run {', '.join(missing)}, or it is not yours to see")
    return [found[public_id] for public_id in public_ids]


def find_stage(request: Request, public_id: str, *, needs: Role = Role.VIEWER) -> Stage:
    stage = _one(Stage.objects.select_related("run__project", "starts_from"), public_id)
    _allow(request, stage.run.project, needs)
    return stage


def find_checkpoint(request: Request, public_id: str) -> Checkpoint:
    checkpoint = _one(Checkpoint.objects.select_related("run__project", "stage"), public_id)
    _allow(request, checkpoint.run.project, Role.VIEWER)
    return checkpoint


def find_proposal(request: Request, public_id: str, *, needs: Role = Role.VIEWER) -> Proposal:
    rows = Proposal.objects.select_related("project", "checkpoint__run__project", "checkpoint__stage", "proposer")
    proposal = _one(rows, public_id)
    _allow(request, proposal.project, needs)
    return proposal


def find_thread(request: Request, public_id: str, *, needs: Role = Role.VIEWER) -> Thread:
    comments = Prefetch("comments", Comment.objects.select_related("author").prefetch_related("edits"))
    threads = Thread.objects.select_related("run__project", "created_by", "resolved_by").prefetch_related(comments)
    thread = _one(threads, public_id)
    _allow(request, thread.run.project, needs)
    return thread


def find_comment(request: Request, public_id: str, *, needs: Role = Role.VIEWER) -> Comment:
    comment = _one(Comment.objects.select_related("thread__run__project", "author"), public_id)
    _allow(request, comment.thread.run.project, needs)
    return comment


def with_work(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Fetch stages and checkpoints beside runs, so that any number of statuses takes the same few queries."""
    return runs.select_related("project", "recipe", "created_by", "held_by").prefetch_related(
        "stages", "checkpoints", "added_benchmarks"
    )


def _one(rows: QuerySet[Row], public_id: str) -> Row:
    row = rows.filter(public_id=public_id).first()
    if row is None:
        raise Http404("there is no such thing, or it is not yours to see")
    return row


def _allow(request: Request, project: Project, needs: Role) -> None:
    require(person(request), project, needs)

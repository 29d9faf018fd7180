"""Find what a page is about, for the person who asks: to strangers it does not exist."""

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from runs.access import project_for
from runs.models import Checkpoint, Proposal, Role, Run, Stage


def find_run(request: HttpRequest, slug: str, number: int, *, needs: Role = Role.VIEWER) -> Run:
    """Find a run with its stages and checkpoints; Http404 for strangers, RoleTooLowError below the role."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug, needs=needs)
    runs = Run.objects.select_related("recipe", "created_by", "project", "held_by").prefetch_related(
        "stages", "checkpoints", "added_benchmarks"
    )
    run = get_object_or_404(runs, project=project, number=number)
    join_rows(run)
    return run


def find_stage(run: Run, name: str) -> Stage:
    """Find a stage of a run that `find_run` found; Http404 where there is none."""
    found = next((stage for stage in run.stages.all() if stage.name == name), None)
    if found is None:
        raise Http404
    return found


def find_proposal(request: HttpRequest, slug: str, public_id: str, *, needs: Role = Role.VIEWER) -> Proposal:
    """Find a proposal of a project for a member; Http404 for strangers, RoleTooLowError below the role."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug, needs=needs)
    rows = Proposal.objects.select_related("project", "checkpoint__stage", "checkpoint__run__project", "proposer")
    return get_object_or_404(rows, project=project, public_id=public_id)


def join_rows(run: Run) -> None:
    """Let the rows point at each other, so that no page asks the database for what it has."""
    stages = {stage.pk: stage for stage in run.stages.all()}
    for stage in stages.values():
        stage.run = run
        if stage.starts_from_id:
            stage.starts_from = stages[stage.starts_from_id]
    checkpoint: Checkpoint
    for checkpoint in run.checkpoints.all():
        checkpoint.run = run
        if checkpoint.stage_id:
            checkpoint.stage = stages[checkpoint.stage_id]

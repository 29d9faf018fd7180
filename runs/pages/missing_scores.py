"""Checkpoints without scores: what their cells say, and asking for a scoring again."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from runs import added, lifecycle
from runs.models import Checkpoint, Role, Run, Status
from runs.pages.find import find_run
from runs.pages.matrix_view import MissingView
from runs.pages.words import refusals_told
from runs.report import drift_report
from workers.spec import BASE

_WAITS = {
    Status.QUEUED: MissingView("–", "waits to be scored"),
    Status.RUNNING: MissingView("…", "is being scored"),
    Status.STALE: MissingView("…", "its scoring has been silent; the next free worker takes it"),
    Status.PAUSED: MissingView("–", "the run is paused; resume scores it"),
}

_ENDED = {
    Status.FAILED: "failed",
    Status.CANCELLED: "was cancelled",
    Status.SUCCEEDED: "left this benchmark out",
}


def missing_views(run: Run) -> dict[str, MissingView]:
    """Say for every checkpoint of a run what stands in a cell without a score; row key -> words."""
    return {key: _missing(checkpoint) for key, checkpoint in _checkpoints(run).items()}


@require_POST
def score_again(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Queue the scoring of a checkpoint that lacks scores, and those on added benchmarks."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=Role.RUNNER)
    row = request.POST.get("row", "")
    checkpoint = _checkpoints(run).get(row)
    if checkpoint is None:
        raise Http404
    with refusals_told(request):
        queued = (
            added.score_missing(run, row, by=request.user)
            if checkpoint.has_weights and run.added_benchmarks.exists()
            else []
        )
        is_whole = all(drift_report(run).matrix.cell(row, b["domain"]) for b in run.document["benchmarks"])
        if is_whole and not queued:
            raise lifecycle.NotPossibleError(
                f"{checkpoint} has all its scores, or they are on the way; nothing was queued"
            )
        if not is_whole:
            lifecycle.score_again(checkpoint)
        messages.success(request, f"Queued: {checkpoint} is scored by the next free worker.")
    return redirect("runs:drift", slug, number)


def _checkpoints(run: Run) -> dict[str, Checkpoint]:
    """The checkpoint of each row."""
    return {checkpoint.stage.name if checkpoint.stage else BASE: checkpoint for checkpoint in run.ends}


def _missing(checkpoint: Checkpoint) -> MissingView:
    if checkpoint.shown_status in _WAITS:
        return _WAITS[checkpoint.shown_status]
    why = f"its scoring {_ENDED[Status(checkpoint.status)]}"
    if checkpoint.failure_reason:
        why += f": {checkpoint.failure_reason}"
    is_made = checkpoint.stage is None or checkpoint.stage.status == Status.SUCCEEDED  # else it is being made anew
    return MissingView("–", why, can_be_asked=is_made and checkpoint.has_weights)

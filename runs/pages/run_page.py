"""The run page: where a run stands, what its stages do, and the buttons that steer it."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from pydantic import BaseModel

from runs import holds, lifecycle, notices, statuses
from runs.access import role_in
from runs.ingest import stage_folder
from runs.models import Role, Run, Stage, Status
from runs.pages import rollouts
from runs.pages.figures import curves_of, metrics_of
from runs.pages.find import find_run, find_stage
from runs.pages.gap_warnings import gap_warnings
from runs.pages.gates import hold_context
from runs.pages.run_words import current_stage, run_seconds, verdict
from runs.pages.stage_lines import (
    mean_scores,
    only_domain,
    stage_lines,
    stage_url,
    strip,
    teachers_of,
    trained_tokens,
    unscored,
)
from runs.pages.words import first_error, refusals_told
from runs.registered_models import model_of
from workers.catalogue import in_order
from workers.recipe_text import dump_document
from workers.spec import ResolvedStageSpec
from workers.stage_dir import tail

_DONE = {
    "pause": "Paused. What runs now writes a checkpoint and stops.",
    "resume": "Resumed. It goes on from the last checkpoint.",
    "cancel": "Cancelled. Checkpoints and scores stay.",
    "retry": "Queued again. It goes on from the last whole checkpoint.",
}
_WORDS = {"pause": "Pause", "resume": "Resume", "cancel": "Cancel", "retry": "Retry"}
LOG_BYTES = 32_768


class HoldForm(forms.Form):
    """Why a run is held."""

    reason = forms.CharField(max_length=holds.MAX_REASON)


@require_safe
def run_page(request: HttpRequest, slug: str, number: int, name: str | None = None) -> HttpResponse:
    """Show a run and one of its stages; `part` in the address answers only that fragment, for live updates."""
    run = find_run(request, slug, number)
    if run.published:  # nothing happened here: all there is of it are its scores
        return redirect("runs:drift", slug, number)
    stage = find_stage(run, name) if name else current_stage(run)
    part = request.GET.get("part")
    if part == "rollouts":
        return render(request, "runs/_rollouts.html", _rollout_context(request, run, stage))
    if part == "overview":
        return render(request, "runs/_overview.html", _overview_context(request, run, stage) | {"is_part": True})
    assert isinstance(request.user, User)
    notices.mark_read(notices.notices_of(request.user).filter(gate_check__checkpoint__run=run))
    context = (
        _overview_context(request, run, stage) | _rollout_context(request, run, stage) | _stage_context(run, stage)
    )
    return render(request, "runs/detail.html", context)


@require_POST
def act(request: HttpRequest, slug: str, number: int, action: str) -> HttpResponse:
    """Pause, resume, cancel or retry a run."""
    run = find_run(request, slug, number, needs=Role.RUNNER)
    steer = {"pause": lifecycle.pause, "resume": lifecycle.resume, "cancel": lifecycle.cancel, "retry": lifecycle.retry}
    if action not in steer:
        raise Http404
    with refusals_told(request):
        steer[action](run)
        messages.success(request, _DONE[action])
    return redirect("runs:detail", slug, number)


@require_POST
def hold(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Hold a run: what runs finishes, nothing further starts."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=holds.HOLD)
    form = HoldForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"The run is not held. {first_error(form)}")
        return redirect("runs:detail", slug, number)
    with refusals_told(request):
        holds.hold(run, reason=form.cleaned_data["reason"], by=request.user)
        messages.success(request, "Held. What runs now finishes and is scored; nothing further starts.")
    return redirect("runs:detail", slug, number)


@require_POST
def release(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Let a held run go on; what a gate held, is approved by that."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=holds.HOLD)
    with refusals_told(request):
        is_approval = run.held_by is None
        holds.release(run, by=request.user, seen=request.POST.get("seen", ""))
        done = "Approved" if is_approval else "Released"
        messages.success(request, f"{done}. The next stage starts as soon as a worker is free.")
    return redirect("runs:detail", slug, number)


@require_POST
def retry_stage(request: HttpRequest, slug: str, number: int, name: str) -> HttpResponse:
    """Queue one failed or cancelled stage again."""
    run = find_run(request, slug, number, needs=Role.RUNNER)
    stage = find_stage(run, name)
    with refusals_told(request):
        lifecycle.retry_stage(stage)
        messages.success(request, _DONE["retry"])
    return redirect(stage_url(run, stage))


@require_safe
def log(request: HttpRequest, slug: str, number: int, name: str) -> HttpResponse | FileResponse:
    """Answer the end of a stage's log as text; with `download=1` all of it, as a file."""
    run = find_run(request, slug, number)
    path = stage_folder(find_stage(run, name)).log
    if request.GET.get("download") == "1":
        if not path.exists():
            raise Http404
        return FileResponse(open(path, "rb"), as_attachment=True, filename=f"{run.name}-{run.number}-{name}.log")
    return HttpResponse(tail(path, max_bytes=LOG_BYTES), content_type="text/plain; charset=utf-8")


def _overview_context(request: HttpRequest, run: Run, stage: Stage) -> dict[str, Any]:
    """What changes while a run goes on, in few queries however many stages there are."""
    assert isinstance(request.user, User)
    role, means = role_in(request.user, run.project), mean_scores(run)
    may_act = role is not None and role.may(Role.RUNNER)
    lines = stage_lines(run, means=means, selected=stage)
    return {
        "project": run.project,
        "run": run,
        "stage": stage,
        "status": run.status.label,
        "is_over": run.status == Status.SUCCEEDED,
        "seconds": run_seconds(run),
        "tokens": trained_tokens(run),
        "model": model_of(run.project, run.document),
        "verdict": verdict(run, means),
        "strip": strip(run, with_links=True),
        "lines": lines,
        "unscored": unscored(run),
        "gap_warnings": gap_warnings(run),
        "n_scored": run.n_scored,
        "actions": [(name, _WORDS[name]) for name in statuses.possible_actions(run)],
        "may_act": may_act,
        "may_hold": role is not None and role.may(holds.HOLD) and holds.can_hold(run),
        "role": role,
        "overview_url": f"{stage_url(run, stage)}?part=overview",
    } | hold_context(run, request.user, role)


def _stage_context(run: Run, stage: Stage) -> dict[str, Any]:
    """What the selected stage's panel shows beside its rollouts."""
    return {
        "crumbs": [
            (run.project.name, ""),
            ("Runs", reverse("runs:list", args=(run.project.slug,))),
            (str(run), ""),
        ],
        "domain": only_domain(stage),
        "teachers": teachers_of(stage),
        "spec_yaml": dump_document(_spec(stage).model_dump(mode="json")),
        "log_text": tail(stage_folder(stage).log, max_bytes=LOG_BYTES),
        "domains": [(name, stage.document["domains"][name]) for name in in_order(stage.document["domains"])],
        "curves": curves_of(stage),
        "metrics": metrics_of(stage),
    }


def _spec(stage: Stage) -> BaseModel:
    """What the trainer gets, once that is decided; read through its class, for the database keeps no order of keys."""
    return ResolvedStageSpec.model_validate(stage.resolved) if stage.resolved else stage.spec


def _rollout_context(request: HttpRequest, run: Run, stage: Stage) -> dict[str, Any]:
    sample = rollouts.read_sample(stage_folder(stage), asked=request.GET.get("rollouts", ""))
    chosen = {} if sample is None or sample.is_latest else {"rollouts": sample.step}
    query = urlencode({**chosen, "part": "rollouts"})
    return {"run": run, "stage": stage, "sample": sample, "rollouts_url": f"{stage_url(run, stage)}?{query}"}

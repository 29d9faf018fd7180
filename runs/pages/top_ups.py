"""Top-ups at the cell they are to decide: the button, how far they are, and why one failed."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from runs import lifecycle, top_ups
from runs.drift import words
from runs.drift.matrix import ScoreCell
from runs.drift.top_up import TopUpPlan
from runs.models import Run, Status, TopUp
from runs.pages.find import find_run
from runs.pages.run_words import remedy
from runs.pages.words import refusals_told
from runs.report import drift_report

_WAITS = {
    Status.QUEUED: "waits for a free worker",
    Status.STALE: "has been silent; the next free worker goes on with it",
}


@dataclass(frozen=True)
class TopUpLine:
    """How far the top-up of one checkpoint is, or why it failed."""

    row: str
    top_up: TopUp
    text: str
    remedy: str = ""

    @property
    def is_open(self) -> bool:
        return self.top_up.status in lifecycle.OPEN


@dataclass(frozen=True)
class TopUpView:
    """What stands at an undecided cell: what may be asked for, and what was."""

    domain: str
    before: str
    after: str
    samples: int | None  # what a click asks for; None where it is of no use, or under way
    lines: list[TopUpLine]

    @property
    def is_open(self) -> bool:
        return any(line.is_open for line in self.lines)


def top_up_view(run: Run, plan: TopUpPlan | None, before: ScoreCell, after: ScoreCell) -> TopUpView | None:
    """Say what may be asked for and what was; None where there is neither. plan: None where the change is decided."""
    found = top_ups.top_ups_of(run, after.column, before.row, after.row)
    lines = [_line(row, top_up) for row, top_up in found.items() if top_up.status != Status.SUCCEEDED]
    is_open = any(line.is_open for line in lines)
    samples = plan.samples if plan and not is_open else None
    if samples is None and not lines:
        return None
    return TopUpView(after.column, before.row, after.row, samples, lines)


def plan_words(plan: TopUpPlan, *, n: int) -> str:
    """Say what more answers to the same problems would do, as a sentence."""
    if plan.samples is None:
        return f"More answers to these {n} problems: {plan.reason}."
    if not plan.decides:
        return (
            f"One answer to each of these {n} problems cannot tell luck from difficulty; {plan.samples} would, and so tell "
            "how many decide it."
        )
    return f"So do {plan.samples} answers to each of these {n} problems."


def is_topping_up(run: Run) -> bool:
    """Whether anything of a run is being topped up, so that its page has to be live."""
    return run.top_ups.filter(status__in=lifecycle.OPEN).exists()


@require_POST
def top_up(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Queue what would decide a change."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=top_ups.ASK)
    domain, before, after = (request.POST.get(name, "") for name in ("domain", "before", "after"))
    matrix = drift_report(run).matrix
    if matrix.cell(before, domain) is None or matrix.cell(after, domain) is None:
        raise Http404
    told = request.POST.get("samples", "")
    seen = int(told) if told.isdecimal() and len(told) < 9 else 0  # what nobody was told fits no number of answers
    with refusals_told(request):
        queued = top_ups.top_up(run, domain=domain, before=before, after=after, by=request.user, seen=seen)
        checkpoints = words.listed([str(row.checkpoint) for row in queued])
        messages.success(request, f"Queued: up to {queued[0].samples} answers to each problem from {checkpoints}.")
    return redirect(_cell_address(run, domain, before, after))


@require_POST
def cancel_top_up(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """End what is under way for a change."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=top_ups.ASK)
    domain, before, after = (request.POST.get(name, "") for name in ("domain", "before", "after"))
    if domain not in {column.domain for column in drift_report(run).matrix.columns}:
        raise Http404
    with refusals_told(request):
        ended = top_ups.cancel(run, domain=domain, before=before, after=after, by=request.user)
        messages.success(request, f"Cancelled: {words.listed([f'top-up of {row.checkpoint}' for row in ended])}.")
    return redirect(_cell_address(run, domain, before, after))


def _cell_address(run: Run, domain: str, before: str, after: str) -> str:
    query = urlencode({"cell": f"{after}:{domain}", "before": before}, safe=":")
    return f"{reverse('runs:drift', args=(run.project.slug, run.number))}?{query}#cell"


def _line(row: str, top_up: TopUp) -> TopUpLine:
    status = top_up.shown_status
    if status == Status.FAILED:
        return TopUpLine(row, top_up, f"failed: {top_up.failure_reason}", remedy(top_up.failure_code))
    if status == Status.CANCELLED:
        return TopUpLine(row, top_up, "cancelled; another top-up goes on from what was sampled")
    return TopUpLine(row, top_up, _WAITS.get(status) or top_up.substep or "is starting")

"""Top an evaluation up: ask both checkpoints of an undecided change for more answers to the same problems.

How many is reckoned here from the scores as they are, never taken from who asks: a page that is out of date cannot ask for
more than it takes.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse

from runs import audit, lifecycle
from runs.drift.changes import change_between
from runs.drift.intervals import ALPHA
from runs.drift.matrix import ScoreMatrix
from runs.drift.top_up import TopUpPlan, plan_top_up
from runs.lifecycle import NotPossibleError
from runs.matrices import scores_of_domain
from runs.models import Role, Run, Score, TopUp
from runs.report import drift_report

ASK = Role.RUNNER


def plan_between(matrix: ScoreMatrix, domain: str, before: str, after: str) -> TopUpPlan:
    """Say how many answers would decide a change among as many as the matrix corrects together."""
    earlier, later = matrix.cell(before, domain), matrix.cell(after, domain)
    if earlier is None or later is None:
        return TopUpPlan(reason="one of the checkpoints has no score")
    return plan_top_up(earlier, later, alpha=_alpha(matrix))


def top_ups_of(run: Run, domain: str, *rows: str) -> dict[str, TopUp]:
    """Find what was asked for on a domain, by the checkpoint's row."""
    found = run.top_ups.filter(benchmark__domain=domain).select_related("checkpoint__stage", "asked_by")
    by_checkpoint = {top_up.checkpoint_id: top_up for top_up in found}
    scores = scores_of_domain(run, domain)
    pairs = {row: by_checkpoint.get(scores[row].checkpoint_id) for row in rows if row in scores}
    return {row: top_up for row, top_up in pairs.items() if top_up is not None}


def top_up(run: Run, *, domain: str, before: str, after: str, by: User, seen: int | None = None) -> list[TopUp]:
    """Queue both checkpoints of an undecided change for as many answers to each problem as would decide it.

    seen: how many the person was told; None where they were told nothing. Raises NotPossibleError where it is decided,
    would not be by more answers, is under way, or takes another number than they were told.
    """
    matrix = drift_report(run).matrix
    plan = _plan_or_refuse(matrix, domain, before, after)
    assert plan.samples is not None, "what cannot be decided was refused"
    if seen not in (None, plan.samples):
        raise NotPossibleError(
            f"by the scores as they are now it takes {plan.samples} answers to each problem, not {seen}; reload the page",
            "scores_changed",
        )
    scores = scores_of_domain(run, domain)
    short = [scores[row] for row in (before, after) if scores[row].samples < plan.samples]
    short.sort(key=lambda score: score.checkpoint_id)  # in one order, so that no two who ask wait for each other
    with transaction.atomic():
        queued = [row for score in short if (row := _queue(score, plan.samples, by)) is not None]
        if not queued:
            raise NotPossibleError(
                "these checkpoints are being topped up already; nothing was queued", "already_queued"
            )
        _record(run, matrix, domain, queued, key=f"{after}:{domain}", before=before, by=by)
    return queued


def cancel(run: Run, *, domain: str, before: str, after: str, by: User) -> list[TopUp]:
    """End what is under way for a change, whoever asked for it; raises NotPossibleError where nothing is."""
    asked = top_ups_of(run, domain, before, after)
    with transaction.atomic():
        ended = lifecycle.cancel_top_ups(run.top_ups.filter(pk__in=[top_up.pk for top_up in asked.values()]))
        if not ended:
            raise NotPossibleError("nothing of this change is being topped up; reload the page", "not_under_way")
        rows = {top_up.pk: row for row, top_up in asked.items()}
        audit.record(
            run.project,
            "score.top_up_cancelled",
            by=by,
            subject=f"{drift_report(run).matrix.column(domain).title} in {run}",
            url=_address(run, f"{after}:{domain}", before),
            before={rows[top_up.pk]: top_up.samples for top_up in ended},
        )
    return ended


def _plan_or_refuse(matrix: ScoreMatrix, domain: str, before: str, after: str) -> TopUpPlan:
    change = change_between(matrix, domain, before, after)
    if before == after or change.p_value is None:
        reason = "a checkpoint does not differ from itself" if before == after else change.reason
        raise NotPossibleError(f"there is no change to decide: {reason}", "no_change")
    if change.p_value < _alpha(matrix):
        raise NotPossibleError(
            "the change is more than noise by the scores there are; nothing was queued", "is_decided"
        )
    plan = plan_between(matrix, domain, before, after)
    if plan.samples is None:
        raise NotPossibleError(f"more answers to these problems would not decide it: {plan.reason}", "not_decidable")
    return plan


def _queue(score: Score, samples: int, by: User) -> TopUp | None:
    if not score.checkpoint.has_weights:
        raise NotPossibleError(
            f"the results of {score.checkpoint} were published elsewhere; there are no weights to ask", "no_weights"
        )
    return lifecycle.queue_top_up(score.checkpoint, score.benchmark, samples=samples, by=by)


def _record(
    run: Run, matrix: ScoreMatrix, domain: str, queued: list[TopUp], *, key: str, before: str, by: User
) -> None:
    scores = {score.checkpoint_id: (row, score) for row, score in scores_of_domain(run, domain).items()}
    found = {scores[asked.checkpoint_id][0]: scores[asked.checkpoint_id][1].samples for asked in queued}
    audit.record(
        run.project,
        "score.topped_up",
        by=by,
        subject=f"{matrix.column(domain).title} in {run}",
        url=_address(run, key, before),
        before=dict(found),
        after=dict.fromkeys(found, queued[0].samples),
    )


def _address(run: Run, key: str, before: str) -> str:
    return f"{reverse('runs:drift', args=(run.project.slug, run.number))}?cell={key}&before={before}#cell"


def _alpha(matrix: ScoreMatrix) -> float:
    """Holm's correction at its strictest: what is significant on any page of the run is so by this or by more."""
    return ALPHA / len(matrix.columns)

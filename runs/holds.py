"""Hold a run for review: no queued stage of it is claimed until somebody with the right releases it.

A pause stops what runs; a hold lets it finish and be scored, so that there is something to review, and keeps who held the
run and why. `ready.stages` heeds it in the same UPDATE that claims, so a stage starts before a hold or not at all.
A gate of the recipe holds a run as a person does, but for `held_by`, which is empty; to release it is to approve.
"""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from runs import audit
from runs.access import require
from runs.lifecycle import NotPossibleError
from runs.models import GateCheck, GateOutcome, Role, Run, Status
from runs.ready import tend

HOLD, RELEASE = Role.REVIEWER, Role.MAINTAINER  # who held a run releases it too
APPROVE = Role.REVIEWER  # what a gate holds
MAX_REASON = 1000  # characters


def hold(run: Run, *, reason: str, by: User) -> None:
    """Let no further stage of a run start. Raises NotPossibleError where it is held already or nothing is left to start."""
    with transaction.atomic():
        now = Run.objects.select_for_update().get(pk=run.pk)
        if now.held_at is not None:
            raise NotPossibleError(f"{run} is held already, by {holder(now)}: {now.hold_reason}", "already_held")
        if not has_more_to_start(now):
            raise NotPossibleError(f"every stage of {run} is done, so there is nothing to hold back", "nothing_to_hold")
        _set(run, by=by, reason=reason)
    tend(run)


def hold_by_gates(run: Run, checks: Sequence[GateCheck]) -> None:
    """Hold a run for what gates have just found; call it where the run is locked. A person's hold stays, and theirs comes after."""
    if checks and run.held_by is None:
        _set(run, by=None, reason=_reason(run))


def release(run: Run, *, by: User, seen: str = "") -> None:
    """Let a held run go on; its holder may, and maintainers, and for what a gate holds every reviewer.

    seen: the hold that the person looked at, as `hold_seen` says it, so that nobody approves what a gate found meanwhile.
    """
    with transaction.atomic():
        now = Run.objects.select_for_update().get(pk=run.pk)
        if now.held_at is None:
            raise NotPossibleError(f"{run} is not held; reload the page to see where it stands", "not_held")
        if now.held_by != by:
            require(by, run.project, APPROVE if now.held_by is None else RELEASE)
        if seen not in ("", hold_seen(now)):
            raise NotPossibleError(f"{run} is held for another reason by now; reload the page to read it", "other_hold")
        before = {"held by": holder(now), "reason": now.hold_reason}
        if now.held_by is None:
            _open_checks(run).update(approved_by=by, approved_at=timezone.now())
        run.held_at, run.held_by, run.hold_reason = None, None, ""
        run.save(update_fields=["held_at", "held_by", "hold_reason"])
        record(run, "run.released" if now.held_by else "gate.approved", by=by, before=before)
        if _open_checks(run).exists():
            _set(run, by=None, reason=_reason(run))  # a gate was tripped while a person held the run
    tend(run)


def can_hold(run: Run) -> bool:
    """Whether a run is not held and has a stage left to hold back."""
    return run.held_at is None and has_more_to_start(run)


def has_more_to_start(run: Run) -> bool:
    return any(stage.status != Status.SUCCEEDED for stage in run.stages.all())


def may_release(run: Run, user: User, role: Role | None) -> bool:
    """Whether this person may release the run."""
    if role is None or run.held_at is None:
        return False
    is_own = run.held_by_id in (None, user.pk)  # what a gate holds is for every reviewer to approve
    return role.may(RELEASE) or (is_own and role.may(HOLD))


def holder(run: Run) -> str:
    """Name who holds a run."""
    return str(run.held_by) if run.held_by else "a gate"


def hold_seen(run: Run) -> str:
    """Name the present hold of a run; another hold, or one for more reasons, has another name."""
    return run.held_at.isoformat() if run.held_at else ""


def record(
    run: Run,
    action: str,
    *,
    by: User | None,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    """Write what happened to a run into the audit log."""
    url = reverse("runs:detail", args=(run.project.slug, run.number))
    audit.record(run.project, action, by=by, subject=str(run), url=url, before=before, after=after)


def _set(run: Run, *, by: User | None, reason: str) -> None:
    run.held_at, run.held_by, run.hold_reason = timezone.now(), by, reason
    run.save(update_fields=["held_at", "held_by", "hold_reason"])
    record(run, "run.held", by=by, after={"reason": reason})


def _open_checks(run: Run) -> QuerySet[GateCheck]:
    """What gates hold the run for and nobody has approved."""
    return GateCheck.objects.filter(checkpoint__run=run, outcome=GateOutcome.HELD, approved_at=None)


def _reason(run: Run) -> str:
    return "; ".join(check.words for check in _open_checks(run))

"""Hold a run for review: no queued stage of it is claimed until somebody with the right releases it.

A pause stops what runs; a hold lets it finish and be scored, so that there is something to review, and keeps who held the
run and why. `lifecycle.ready_stages` heeds it in the same UPDATE that claims, so a stage starts before a hold or not at all.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from runs import audit
from runs.access import require
from runs.lifecycle import NotPossibleError, tend
from runs.models import Role, Run, Status

HOLD, RELEASE = Role.REVIEWER, Role.MAINTAINER  # who held a run releases it too
MAX_REASON = 1000  # characters


def hold(run: Run, *, reason: str, by: User) -> None:
    """Let no further stage of a run start. Raises NotPossibleError where it is held already or nothing is left to start."""
    with transaction.atomic():
        now = Run.objects.select_for_update().get(pk=run.pk)
        if now.held_at is not None:
            raise NotPossibleError(f"{run} is held already, by {now.held_by}: {now.hold_reason}", "already_held")
        if not can_hold(now):
            raise NotPossibleError(f"every stage of {run} is done, so there is nothing to hold back", "nothing_to_hold")
        run.held_at, run.held_by, run.hold_reason = timezone.now(), by, reason
        run.save(update_fields=["held_at", "held_by", "hold_reason"])
        _record(run, "run.held", by=by, after={"reason": reason})
    tend(run)


def release(run: Run, *, by: User) -> None:
    """Let a held run go on; its holder may, and maintainers."""
    with transaction.atomic():
        now = Run.objects.select_for_update().get(pk=run.pk)
        if now.held_at is None:
            raise NotPossibleError(f"{run} is not held; reload the page to see where it stands", "not_held")
        if now.held_by != by:
            require(by, run.project, RELEASE)
        before = {"held by": str(now.held_by), "reason": now.hold_reason}
        run.held_at, run.held_by, run.hold_reason = None, None, ""
        run.save(update_fields=["held_at", "held_by", "hold_reason"])
        _record(run, "run.released", by=by, before=before)
    tend(run)


def can_hold(run: Run) -> bool:
    """Whether a run is not held and has a stage left to hold back."""
    return run.held_at is None and any(stage.status != Status.SUCCEEDED for stage in run.stages.all())


def may_release(run: Run, user: User, role: Role | None) -> bool:
    """Whether this person may release the run."""
    return role is not None and (role.may(RELEASE) or (run.held_by_id == user.pk and role.may(HOLD)))


def _record(
    run: Run, action: str, *, by: User, before: dict[str, str] | None = None, after: dict[str, str] | None = None
) -> None:
    url = reverse("runs:detail", args=(run.project.slug, run.number))
    audit.record(run.project, action, by=by, subject=str(run), url=url, before=before, after=after)

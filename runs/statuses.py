"""Runs by their status: many at once, as `Run.status` said in SQL, which filters and pages lists; and what a person may do."""

from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from runs.lifecycle import OPEN
from runs.models import Checkpoint, Run, Stage, Status


def with_status(runs: QuerySet[Run], status: Status) -> QuerySet[Run]:
    """Keep the runs whose status is this one. The cases are those of `Run.status`, in the same order."""
    running, queued = _has(Status.RUNNING), Stage.objects.filter(run=OuterRef("pk"), status=Status.QUEUED)
    derived = Case(
        When(_has(Status.CANCELLED) & ~running, then=Value(Status.CANCELLED)),
        When(_has(Status.FAILED) & ~running, then=Value(Status.FAILED)),
        When(_has(Status.PAUSED) & ~running, then=Value(Status.PAUSED)),
        When(_has(Status.STALE), then=Value(Status.STALE)),
        When(running, then=Value(Status.RUNNING)),
        When(Q(held_at__isnull=False) & Q(Exists(queued)), then=Value(Status.AWAITING_REVIEW)),
        When(~_has(Status.QUEUED), then=Value(Status.SUCCEEDED)),
        When(_has(Status.SUCCEEDED), then=Value(Status.RUNNING)),
        default=Value(Status.QUEUED),
        output_field=CharField(),
    )
    return runs.alias(derived_status=derived).filter(derived_status=status)


def possible_actions(run: Run) -> list[str]:
    """Name what a person may do with a run now, in the order of buttons."""
    found = {item.status for item in (*run.stages.all(), *run.checkpoints.all())}
    rules = {
        "pause": {Status.QUEUED, Status.RUNNING},
        "resume": {Status.PAUSED},
        "retry": {Status.FAILED, Status.CANCELLED},
        "cancel": set(OPEN),
    }
    return [action for action, statuses in rules.items() if found & statuses]


def _has(status: Status) -> Q:
    """Some stage or checkpoint of the run shows this status."""
    stages, checkpoints = Stage.objects.filter(run=OuterRef("pk")), Checkpoint.objects.filter(run=OuterRef("pk"))
    shown = _shown(status)
    return Q(Exists(stages.filter(shown))) | Q(Exists(checkpoints.filter(shown)))


def _shown(status: Status) -> Q:
    silent = Q(lease_until__lt=timezone.now())
    if status == Status.STALE:
        return Q(status=Status.RUNNING) & silent
    if status == Status.RUNNING:
        return Q(status=Status.RUNNING) & (~silent | Q(lease_until=None))
    return Q(status=status)

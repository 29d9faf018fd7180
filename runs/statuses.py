"""The status of many runs at once: `Run.status` said in SQL, so that lists can be filtered and paged by the database."""

from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

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

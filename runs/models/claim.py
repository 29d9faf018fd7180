"""What a worker can claim: a row whose status says who may work on it."""

from datetime import datetime

from django.db import models
from django.utils import timezone


class Status(models.TextChoices):
    """The same words in the database, the API and on the page."""

    DRAFT = "draft", "draft"
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    PAUSED = "paused", "paused"
    AWAITING_REVIEW = "awaiting_review", "awaiting review"
    SUCCEEDED = "succeeded", "succeeded"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"
    STALE = "stale", "stale"


STORED = (Status.QUEUED, Status.RUNNING, Status.PAUSED, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class Claimable(models.Model):
    """Work that one worker at a time may hold. Only `runs.lifecycle` changes these fields.

    `attempt` fences: a worker repeats the number it claimed with, and learns from a count of 0 rows that it lost its claim.
    """

    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    kills = models.PositiveSmallIntegerField(
        default=0
    )  # times its process was killed since it was last queued by a person
    failure_code = models.CharField(max_length=40, blank=True)
    failure_reason = models.TextField(blank=True)
    # Live facts of the process at work, for the page
    step = models.PositiveIntegerField(default=0)
    n_steps = models.PositiveIntegerField(default=0)
    substep = models.CharField(max_length=60, blank=True)
    eta_s = models.FloatField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def shown_status(self) -> Status:
        """The status as a reader should see it: running work whose worker went silent is stale."""
        if self.status == Status.RUNNING and self.lease_until and self.lease_until < timezone.now():
            return Status.STALE
        return Status(self.status)

    @property
    def seconds(self) -> float | None:
        """Wall time of the last attempt so far, in seconds."""
        if self.started_at is None:
            return None
        end: datetime = self.finished_at or timezone.now()
        return (end - self.started_at).total_seconds()

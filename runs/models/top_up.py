"""Top-ups: further answers to a benchmark's problems, asked for by a person to decide a change."""

from django.conf import settings
from django.db import models

from runs.models.checkpoint import Checkpoint
from runs.models.claim import STORED, Claimable
from runs.models.run import Run
from runs.models.score import Benchmark


class TopUp(Claimable):
    """More answers to a benchmark's problems from one checkpoint; asked again, the same row is queued for more."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="top_ups")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="top_ups")
    benchmark = models.ForeignKey(Benchmark, on_delete=models.PROTECT, related_name="+")
    samples = models.PositiveSmallIntegerField()  # answers per problem to have in the end
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("run", "checkpoint", "benchmark")
        constraints = (
            models.UniqueConstraint(fields=("checkpoint", "benchmark"), name="one_top_up_per_score"),
            models.CheckConstraint(condition=models.Q(status__in=STORED), name="top_up_status_is_stored"),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="top_up_claimable"),)

    def __str__(self) -> str:
        return f"{self.benchmark} on {self.checkpoint}, {self.samples} answers"

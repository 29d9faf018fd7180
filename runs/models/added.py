"""Benchmarks that a run's recipe did not have, added later, and their scorings."""

from django.conf import settings
from django.db import models

from runs.models.checkpoint import Checkpoint
from runs.models.claim import STORED, Claimable
from runs.models.run import Run


class AddedBenchmark(models.Model):
    """A benchmark beside those of a run's frozen recipe, as frozen from then on."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="added_benchmarks")
    domain = models.CharField(max_length=40)
    document = models.JSONField()  # the BenchmarkSpec or TaskBenchmarkSpec
    data_sets = models.JSONField(default=dict)  # the rows that it is pinned to, as in a recipe
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("run", "pk")
        constraints = (models.UniqueConstraint(fields=("run", "domain"), name="one_added_benchmark_per_domain"),)

    def __str__(self) -> str:
        return self.domain


class AddedScoring(Claimable):
    """One checkpoint to be scored on one added benchmark; asked again, the same row is queued again where it failed."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="added_scorings")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="added_scorings")
    benchmark = models.ForeignKey(AddedBenchmark, on_delete=models.CASCADE, related_name="scorings")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ("run", "benchmark", "checkpoint")
        constraints = (
            models.UniqueConstraint(fields=("checkpoint", "benchmark"), name="one_scoring_per_added_benchmark"),
            models.CheckConstraint(condition=models.Q(status__in=STORED), name="added_scoring_status_is_stored"),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="added_scoring_claimable"),)

    def __str__(self) -> str:
        return f"{self.benchmark} on {self.checkpoint}"

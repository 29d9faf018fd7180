"""Checkpoints: weights a stage left behind, and whether they are scored."""

from django.db import models

from runs.models import ids
from runs.models.claim import STORED, Claimable, Status
from runs.models.run import Run, Stage


class Checkpoint(Claimable):
    """Weights in a folder; the next stage's start, or a later teacher. Its status is that of its scoring."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.checkpoint_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="checkpoints")
    stage = models.ForeignKey(
        Stage, null=True, blank=True, on_delete=models.CASCADE, related_name="checkpoints"
    )  # None: the base
    at_step = models.PositiveIntegerField()
    is_mid_stage = models.BooleanField(default=False)  # scored for the curves only: no start, no teacher, no row
    gates_checked_at = models.DateTimeField(null=True, blank=True)  # of a stage's end: once, if its recipe has gates
    folder = models.CharField(
        max_length=500
    )  # relative to the run's folder, or below MODELS_DIR; empty: no weights here
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("run", models.F("stage__position").asc(nulls_first=True), "at_step")
        constraints = (
            models.UniqueConstraint(
                fields=("run", "stage", "at_step"), name="one_checkpoint_per_step", nulls_distinct=False
            ),
            models.CheckConstraint(condition=models.Q(status__in=STORED), name="scoring_status_is_stored"),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="scoring_claimable"),)

    def __str__(self) -> str:
        return f"{self.stage.name if self.stage else 'base'} at step {self.at_step}"

    @property
    def has_weights(self) -> bool:
        """Tell whether there is anything to score or to promote; of published results there are only scores."""
        return bool(self.folder)

    @property
    def is_scored(self) -> bool:
        return self.status == Status.SUCCEEDED

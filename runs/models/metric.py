"""Metrics of training steps."""

from django.db import models

from runs.models.run import Stage


class Metric(models.Model):
    """One number of one step."""

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="metrics")
    step = models.PositiveIntegerField()
    name = models.CharField(max_length=80)
    value = models.FloatField()

    class Meta:
        ordering = ("stage", "name", "step")
        constraints = (models.UniqueConstraint(fields=("stage", "name", "step"), name="one_value_per_step"),)

    def __str__(self) -> str:
        return f"{self.name} at {self.step}: {self.value}"

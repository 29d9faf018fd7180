"""What the gates of a recipe found."""

from django.conf import settings
from django.db import models

from runs.models.checkpoint import Checkpoint


class GateOutcome(models.TextChoices):
    """What a check came to; the label is what the gate did."""

    PASSED = "passed", "passed"
    WARNED = "warned", "warned"
    HELD = "held", "held the run"


class GateCheck(models.Model):
    """What one gate found at one checkpoint; written once, when the scores of the checkpoint and of all before it are in."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="gate_checks")
    position = models.PositiveSmallIntegerField()  # of the gate in the run's recipe
    outcome = models.CharField(max_length=8, choices=GateOutcome)
    rule = models.TextField()  # what the gate forbids, as people read it
    found = models.TextField()  # the numbers and the reason, as people read them
    changes = models.JSONField()  # what it looked at: domain, since, difference, interval, p_value, is_lost, reason
    created_at = models.DateTimeField(auto_now_add=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)  # until then, a gate that held the run holds it

    class Meta:
        ordering = ("checkpoint__stage__position", "position")
        constraints = (
            models.UniqueConstraint(fields=("checkpoint", "position"), name="one_check_per_gate_and_checkpoint"),
        )

    def __str__(self) -> str:
        return f"gate {self.position + 1} after {self.checkpoint.stage}"

    @property
    def words(self) -> str:
        """The gate, the numbers and the reason."""
        return f"gate {self.position + 1} ({self.rule}): {self.found}"

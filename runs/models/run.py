"""Runs, their stages, and the attempts at them."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from pydantic import TypeAdapter

from runs.models import ids
from runs.models.access import Project
from runs.models.claim import STORED, Claimable, Status
from runs.models.recipe import Recipe
from workers.spec import GRPOSpec, MOPDSpec, SFTSpec, StageSpec

if TYPE_CHECKING:
    from runs.models.checkpoint import Checkpoint

_STAGE_SPEC: TypeAdapter[SFTSpec | GRPOSpec | MOPDSpec] = TypeAdapter(StageSpec)


class Run(models.Model):
    """One carrying-out of a recipe version. Its status is derived from its stages, so the two cannot disagree."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.run_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="runs")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=60)
    document = models.JSONField()  # the recipe as it was started, its seed included
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    held_at = models.DateTimeField(null=True, blank=True)  # while it is set, no queued stage is claimed
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )  # None: a gate of the recipe
    hold_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (models.UniqueConstraint(fields=("project", "number"), name="one_number_per_run"),)

    def __str__(self) -> str:
        return f"{self.name} #{self.number}"

    @property
    def published(self) -> dict[str, Any] | None:
        """Where the results were published, if they are no run of this server; see runs/exchange/published.py."""
        found: dict[str, Any] | None = self.document.get("published")
        return found

    @property
    def benchmarks(self) -> list[dict[str, Any]]:
        """What its checkpoints are scored on: the recipe's benchmarks, then those that were added."""
        return [*self.document["benchmarks"], *(added.document for added in self.added_benchmarks.all())]

    @property
    def data_set_pins(self) -> dict[str, Any]:
        """The rows of all of them, by their name."""
        pins = {name: pin for added in self.added_benchmarks.all() for name, pin in added.data_sets.items()}
        return {**self.document.get("data_sets", {}), **pins}

    @property
    def n_scored(self) -> int:
        """How many rows of the matrix have a score; a picture of drift takes two."""
        scored = self.checkpoints.filter(is_mid_stage=False, scores__benchmark__split="test")
        return scored.values("stage").distinct().count()

    @property
    def ends(self) -> "list[Checkpoint]":
        """The base and what each stage left at its end: what later stages start from, and the rows of the score matrix."""
        return [checkpoint for checkpoint in self.checkpoints.all() if not checkpoint.is_mid_stage]

    @property
    def status(self) -> Status:
        """Derive the run's status from its stages and its checkpoints' scoring."""
        work: list[Claimable] = [*self.stages.all(), *self.checkpoints.all()]
        found = {item.shown_status for item in work}
        for decisive in (Status.CANCELLED, Status.FAILED, Status.PAUSED, Status.STALE, Status.RUNNING):
            yields = decisive in (Status.CANCELLED, Status.FAILED, Status.PAUSED) and Status.RUNNING in found
            if decisive in found and not yields:
                return decisive
        if self.held_at and any(stage.status == Status.QUEUED for stage in self.stages.all()):
            return Status.AWAITING_REVIEW
        if found == {Status.SUCCEEDED}:
            return Status.SUCCEEDED
        return Status.RUNNING if Status.SUCCEEDED in found else Status.QUEUED


class Stage(Claimable):
    """One leg of a cascade, with its own copy of its spec: a later edit of the recipe cannot reach it."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.stage_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="stages")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=40)
    kind = models.CharField(max_length=8)
    document = models.JSONField()  # the StageSpec
    resolved = models.JSONField(null=True, blank=True)  # the ResolvedStageSpec, once the stage became ready
    starts_from: "models.ForeignKey[Stage | None, Stage | None]" = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reward = models.FloatField(null=True, blank=True)  # the last step's mean reward, for the page

    class Meta:
        ordering = ("run", "position")
        constraints = (
            models.UniqueConstraint(fields=("run", "position"), name="one_stage_per_position"),
            models.UniqueConstraint(fields=("run", "name"), name="one_stage_per_name"),
            models.CheckConstraint(condition=models.Q(status__in=STORED), name="stage_status_is_stored"),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="stage_claimable"),)

    def __str__(self) -> str:
        return self.name

    @property
    def spec(self) -> SFTSpec | GRPOSpec | MOPDSpec:
        """The stage's own spec."""
        return _STAGE_SPEC.validate_python(self.document)


class Need(models.Model):
    """What a stage waits for: another stage's weights, and maybe what is known of them.

    That is the validation scores where a teacher is chosen by them, and what the gates found where they may hold the run.
    """

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="needs")
    needed = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="needed_by")
    with_scores = models.BooleanField(default=False)
    with_gates = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("stage", "needed"), name="one_need_per_pair"),)

    def __str__(self) -> str:
        return f"{self.stage} needs {self.needed}"


class Attempt(models.Model):
    """One try at a stage: who made it, and how it ended."""

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=120)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=16, blank=True)  # succeeded, failed, stopped; empty: still at work, or lost
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ("stage", "number")
        constraints = (models.UniqueConstraint(fields=("stage", "number"), name="one_attempt_per_number"),)

    def __str__(self) -> str:
        return f"attempt {self.number} at {self.stage}"

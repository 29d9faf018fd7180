"""Registered models: base models of a project, looked at once, so that recipes are written with their facts at hand."""

from django.conf import settings
from django.db import models

from runs.models import ids
from runs.models.access import Project
from runs.models.claim import STORED, Claimable, Status
from workers.model_dir import ModelFacts


class RegisteredModel(Claimable):
    """A model's folder below MODELS_DIR; its status is that of looking at it. Recipes name the folder, not this row."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.model_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="registered_models")
    folder = models.CharField(max_length=200)
    hub = models.CharField(max_length=200, blank=True)  # owner/name it was downloaded from; empty: it was there
    revision = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, blank=True)  # of the weights; empty until they are read
    found = models.JSONField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("folder",)
        constraints = (
            models.UniqueConstraint(fields=("project", "folder"), name="one_registered_model_per_folder"),
            models.CheckConstraint(condition=models.Q(status__in=STORED), name="model_status_is_stored"),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="model_claimable"),)

    def __str__(self) -> str:
        return self.folder

    @property
    def is_ready(self) -> bool:
        return self.status == Status.SUCCEEDED

    @property
    def is_under_way(self) -> bool:
        return self.status in (Status.QUEUED, Status.RUNNING)

    @property
    def facts(self) -> ModelFacts:
        """What it is; only of one that is ready."""
        return ModelFacts.model_validate(self.found)

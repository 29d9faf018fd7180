"""Data sets: a team's own rows, registered once, in versions that are never edited; and what they share with each other."""

from typing import Any

from django.conf import settings
from django.db import models

from runs.models import ids
from runs.models.access import Project
from runs.models.claim import STORED, Claimable, Status
from workers.data_dir import DataSummary


class SourceKind(models.TextChoices):
    UPLOAD = "upload", "uploaded"
    PATH = "path", "read from the server's disk"


class DataSet(Claimable):
    """One version of a data set; its status is that of its registration. Recipes name it as a domain."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.data_set_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="data_sets")
    name = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    source_kind = models.CharField(max_length=8, choices=SourceKind)
    source = models.CharField(max_length=1000)  # the file's own name, or the path that was given
    form = models.CharField(max_length=12)
    grader = models.CharField(max_length=40, blank=True)
    use = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, blank=True)  # of the rows; empty until they are read
    summary = models.JSONField(null=True, blank=True)
    form_key = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - of several without one, none is a twin
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "-version")
        constraints = (
            models.UniqueConstraint(fields=("project", "name", "version"), name="one_data_set_per_version"),
            models.UniqueConstraint(fields=("project", "form_key"), name="one_data_set_per_form"),
            models.CheckConstraint(condition=models.Q(status__in=STORED), name="registration_status_is_stored"),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="registration_claimable"),)

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def is_ready(self) -> bool:
        return self.status == Status.SUCCEEDED

    @property
    def facts(self) -> DataSummary:
        """What it holds; only of one that is ready."""
        return DataSummary.model_validate(self.summary)


class LeakCheck(Claimable):
    """A search for benchmark items in training prompts, over the data sets that a recipe pins. Done once for the same rows."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.leak_check_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="leak_checks")
    digest = models.CharField(max_length=64)  # of what is compared with what
    pins: Any = models.JSONField()  # {"trained": {name: digest}, "benchmarks": {name: digest}}
    report = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "digest"), name="one_leak_check_per_rows"),
            models.CheckConstraint(condition=models.Q(status__in=STORED), name="leak_check_status_is_stored"),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="leak_check_claimable"),)

    def __str__(self) -> str:
        return f"leaks between {', '.join(self.pins['trained'])} and {', '.join(self.pins['benchmarks'])}"

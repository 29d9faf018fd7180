"""Which published benchmark a benchmark of a run corresponds to: somebody's word, shown as reference and used in no number."""

from django.conf import settings
from django.db import models

from runs.models.run import Run


class PublishedLink(models.Model):
    """One benchmark of a run and the published one beside whose results its scores are shown."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="published_links")
    domain = models.CharField(max_length=40)
    benchmark = models.CharField(
        max_length=80, blank=True
    )  # its published name; empty: none, not even the one of its own name
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("domain",)
        constraints = (models.UniqueConstraint(fields=("run", "domain"), name="one_published_link_per_benchmark"),)

    def __str__(self) -> str:
        return f"{self.domain} of {self.run}: {self.benchmark or 'none'}"

"""Sign-off: checkpoints proposed for promotion, what people said of them, the aliases they got; and the audit log."""

from django.conf import settings
from django.db import models

from runs.models import ids
from runs.models.access import Project
from runs.models.checkpoint import Checkpoint


class ReviewPolicy(models.Model):
    """What a project asks for before a checkpoint may be promoted; a project without a row has these defaults."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="review_policy")
    n_approvals = models.PositiveSmallIntegerField(default=1)
    required = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)

    def __str__(self) -> str:
        return f"{self.project} asks for {self.n_approvals} approvals"


class Proposal(models.Model):
    """A checkpoint proposed for promotion, with the scores that are to be approved. What it stands at is derived."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.proposal_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="proposals")
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="proposals")
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    note = models.TextField()
    frozen = models.JSONField()  # the scores, items and protocols that reviewers are asked about
    digest = models.CharField(max_length=64)  # sha256 of the above
    frozen_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    promoted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("checkpoint",),
                condition=models.Q(withdrawn_at=None, promoted_at=None),
                name="one_open_proposal_per_checkpoint",
            ),
        )

    def __str__(self) -> str:
        return f"{self.checkpoint} of {self.checkpoint.run}"


class Verdict(models.TextChoices):
    """What a reviewer says; the label is what they did."""

    APPROVE = "approve", "approved"
    REQUEST_CHANGES = "request_changes", "requested changes"
    REJECT = "reject", "rejected"


class Review(models.Model):
    """One person's verdict on a proposal's data; their next one replaces it, and both stay to be read."""

    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=16, choices=Verdict)
    note = models.TextField(blank=True)
    digest = models.CharField(max_length=64)  # of the data it speaks of: a verdict on other data does not count
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at", "pk")

    def __str__(self) -> str:
        return f"{self.reviewer} {self.get_verdict_display()}"


class Alias(models.Model):
    """A name that a project's promoted checkpoint goes by, such as production."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="aliases")
    name = models.SlugField(max_length=40)
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="aliases")
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="aliases")
    moved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    moved_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("project", "name"), name="one_checkpoint_per_alias"),)

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """Who did what to what, when, and what it was before and after. A trigger of the database refuses to change a row."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="audit_entries")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )  # None: a gate of a recipe
    action = models.CharField(max_length=40)
    subject = models.CharField(max_length=200)  # in words, which stay true when what they name is gone
    url = models.CharField(max_length=300, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=("project", "-id"), name="audit_of_a_project"),)

    def __str__(self) -> str:
        return f"{self.actor or 'a gate'} {self.action} {self.subject}"

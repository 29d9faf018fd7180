"""Discussion: threads about a place in a run, their comments, and the notices that tell people of them."""

from django.conf import settings
from django.db import models

from runs.models import ids
from runs.models.access import Project
from runs.models.gate import GateCheck
from runs.models.review import Proposal
from runs.models.run import Run


class Thread(models.Model):
    """What people say about one place: a run, a stage, a cell, an item, a rollout or a point on a curve."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.thread_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="threads")
    anchor = models.JSONField()  # one of runs.anchors, as it was validated
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"thread of {self.run}"


class Comment(models.Model):
    """One person's words, plain text. A deleted one keeps its place and loses its words."""

    public_id = models.CharField(max_length=24, unique=True, default=ids.comment_id, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"comment by {self.author}"


class CommentEdit(models.Model):
    """What a comment said before it was edited."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="edits")
    text = models.TextField()
    written_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"earlier words of {self.comment}"


class NoticeKind(models.TextChoices):
    """Why a person is told; the label is what somebody did."""

    MENTION = "mention", "mentioned you"
    REPLY = "reply", "replied"
    REVIEW_REQUEST = "review_request", "asks for your review"
    REVIEW = "review", "reviewed your proposal"
    GATE_HOLD = "gate_hold", "holds a run until somebody approves"
    GATE_WARNING = "gate_warning", "warns of a run of yours"


class Notice(models.Model):
    """Something that a person should read: a comment, a proposal, or what a gate found."""

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=NoticeKind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )  # None: the gate
    comment = models.ForeignKey(Comment, null=True, blank=True, on_delete=models.CASCADE, related_name="notices")
    proposal = models.ForeignKey(Proposal, null=True, blank=True, on_delete=models.CASCADE, related_name="notices")
    gate_check = models.ForeignKey(GateCheck, null=True, blank=True, on_delete=models.CASCADE, related_name="notices")
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("recipient", "comment"), name="one_notice_per_comment"),
            models.CheckConstraint(
                condition=models.Q(comment__isnull=False, proposal=None, gate_check=None, actor__isnull=False)
                | models.Q(comment=None, proposal__isnull=False, gate_check=None, actor__isnull=False)
                | models.Q(comment=None, proposal=None, gate_check__isnull=False, actor=None),
                name="notice_is_of_one_thing",
            ),
        )
        indexes = (models.Index(fields=("recipient", "read_at"), name="notices_of_a_person"),)

    def __str__(self) -> str:
        return f"{self.actor or 'a gate'} {self.get_kind_display()}"

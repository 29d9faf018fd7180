"""Discussion: start a thread, reply, edit, delete, resolve, reopen. Who is mentioned or takes part is told."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from runs import notices
from runs.access import project_locked
from runs.anchors import Anchor
from runs.lifecycle import NotPossibleError
from runs.models import Comment, CommentEdit, Role, Run, Thread

COMMENT = Role.REVIEWER
MAX_TEXT = 10_000  # characters


class NotYoursError(PermissionDenied):
    """Words belong to who wrote them, whatever another's role."""


def start_thread(run: Run, anchor: Anchor, text: str, *, by: User) -> Thread:
    """Open a thread about a place with its first comment; the same words about the same place, said twice, are one thread."""
    with project_locked(run.project):
        place = anchor.model_dump(mode="json")
        newest = run.threads.filter(anchor=place, created_by=by, resolved_at=None).order_by("-pk").first()
        if newest and [comment.text for comment in newest.comments.all()] == [text]:
            return newest
        thread = Thread.objects.create(run=run, anchor=place, created_by=by)
        notices.tell_of_comment(Comment.objects.create(thread=thread, author=by, text=text))
    return thread


def reply(thread: Thread, text: str, *, by: User) -> Comment:
    """Add a comment; a resolved thread stays resolved. What a person has just said, said again, is no second comment."""
    with project_locked(thread.run.project):
        last = thread.comments.order_by("-pk").first()
        if last and (last.author, last.text) == (by, text):
            return last
        comment = Comment.objects.create(thread=thread, author=by, text=text)
        notices.tell_of_comment(comment)
    return comment


def edit(comment: Comment, text: str, *, by: User) -> None:
    """Change one's own words; what they were stays to be read, and who is mentioned anew is told."""
    with transaction.atomic():
        now = _own_locked(comment, by)
        if now.text == text:
            return
        CommentEdit.objects.create(comment=now, text=now.text, written_at=now.edited_at or now.created_at)
        comment.text, comment.edited_at = text, timezone.now()
        comment.save(update_fields=["text", "edited_at"])
        notices.tell_of_comment(comment)


def delete(comment: Comment, *, by: User) -> None:
    """Take one's own words back, the earlier ones too; that there was a comment stays."""
    with transaction.atomic():
        now = _own_locked(comment, by)
        now.edits.all().delete()
        now.notices.all().delete()
        comment.text, comment.edited_at, comment.deleted_at = "", None, timezone.now()
        comment.save(update_fields=["text", "edited_at", "deleted_at"])


def resolve(thread: Thread, *, by: User) -> None:
    """Close a thread; it stays to be read and can be reopened."""
    if not Thread.objects.filter(pk=thread.pk, resolved_at=None).update(resolved_at=timezone.now(), resolved_by=by):
        raise NotPossibleError("this thread is resolved already; reload the page")


def reopen(thread: Thread) -> None:
    """Open a resolved thread again."""
    if not Thread.objects.filter(pk=thread.pk).exclude(resolved_at=None).update(resolved_at=None, resolved_by=None):
        raise NotPossibleError("this thread is open already; reload the page")


def _own_locked(comment: Comment, by: User) -> Comment:
    """The comment as it is now, nobody else changing it until the transaction ends."""
    now = Comment.objects.select_for_update().get(pk=comment.pk)
    if now.author_id != by.pk:
        raise NotYoursError("only who wrote a comment may change or delete it; reply to it instead")
    if now.deleted_at:
        raise NotPossibleError("this comment is deleted and cannot be changed; write another")
    return now

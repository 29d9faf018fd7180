"""Notices: who is told of a comment, a request for review, a verdict, and what a gate found; and what somebody has read."""

import re
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from runs.models import Comment, GateCheck, GateOutcome, Membership, Notice, NoticeKind, Project, Proposal, Role

MENTION = re.compile(r"(?<![\w@.+-])@([\w.@+-]+)")  # what a user name may hold


def mentioned_in(text: str, names: Iterable[str]) -> set[str]:
    """Who of these a text mentions; a full stop or a dash at the end belongs to the sentence."""
    known = set(names)
    return {name for found in MENTION.finditer(text) if (name := mentioned_name(found.group(1), known))}


def mentioned_name(written: str, names: set[str]) -> str:
    """The longest beginning of what follows an @ that is somebody's name, less only punctuation; empty for nobody."""
    while written and written not in names:
        if written[-1] not in ".@+-":
            return ""
        written = written[:-1]
    return written


def tell_of_comment(comment: Comment) -> None:
    """Tell whom it mentions and, of a new one, everybody else who takes part in the thread; each person once."""
    project = comment.thread.run.project
    members, told = _members(project), {comment.author_id, *comment.notices.values_list("recipient_id", flat=True)}
    mentioned, part = mentioned_in(comment.text, members), set[int]()
    if comment.edited_at is None:
        part = set(comment.thread.comments.values_list("author_id", flat=True))
    Notice.objects.bulk_create(
        Notice(
            recipient=person,
            project=project,
            kind=NoticeKind.MENTION if name in mentioned else NoticeKind.REPLY,
            actor=comment.author,
            comment=comment,
        )
        for name, person in members.items()
        if person.pk not in told and (name in mentioned or person.pk in part)
    )


def ask_for_review(proposal: Proposal, reviewers: Iterable[User], *, by: User) -> None:
    """Tell reviewers that a proposal waits for them."""
    _tell_of_proposal(proposal, [person for person in reviewers if person != by], NoticeKind.REVIEW_REQUEST, by)


def tell_of_review(proposal: Proposal, *, by: User) -> None:
    """Tell the proposer of a verdict."""
    _tell_of_proposal(proposal, [proposal.proposer], NoticeKind.REVIEW, by)


def tell_of_gate(check: GateCheck) -> None:
    """Tell everybody who may approve that a gate holds a run, and of a warning whoever started the run."""
    run = check.checkpoint.run
    is_hold = check.outcome == GateOutcome.HELD
    memberships = Membership.objects.filter(project=run.project).select_related("user")
    told = [
        membership.user
        for membership in memberships
        if (Role(membership.role).may(Role.REVIEWER) if is_hold else membership.user == run.created_by)
    ]
    kind = NoticeKind.GATE_HOLD if is_hold else NoticeKind.GATE_WARNING
    Notice.objects.bulk_create(
        Notice(recipient=person, project=run.project, kind=kind, gate_check=check) for person in told
    )


def notices_of(user: User) -> QuerySet[Notice]:
    """A person's notices of the projects they are a member of now, the newest first."""
    return Notice.objects.filter(recipient=user, project__memberships__user=user)


def n_unread(user: User) -> int:
    return notices_of(user).filter(read_at=None).count()


def mark_read(notices: QuerySet[Notice]) -> int:
    """Mark notices read; returns how many were not."""
    unread = Notice.objects.filter(pk__in=notices.filter(read_at=None).values("pk"))
    return unread.update(read_at=timezone.now())


def _tell_of_proposal(proposal: Proposal, people: Iterable[User], kind: NoticeKind, by: User) -> None:
    Notice.objects.bulk_create(
        Notice(recipient=person, project=proposal.project, kind=kind, actor=by, proposal=proposal) for person in people
    )


def _members(project: Project) -> dict[str, User]:
    memberships = Membership.objects.filter(project=project).select_related("user")
    return {membership.user.username: membership.user for membership in memberships}

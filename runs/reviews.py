"""Sign-off of a checkpoint: set the policy, propose, review, renew, withdraw, promote. Each is a line in the audit log."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from runs import audit, frozen, notices
from runs.access import project_locked, require
from runs.lifecycle import NotPossibleError
from runs.models import Alias, Checkpoint, Project, Proposal, Review, ReviewPolicy, Role, Verdict
from runs.standings import Policy, Standing, policy_of, reviewers_of, standing_of, still_needed

PROPOSE, PROMOTE, SET_POLICY = Role.RUNNER, Role.RUNNER, Role.OWNER
MAX_APPROVALS = 10
MAX_NOTE = 4000  # characters


# Policy ---------------------------------------------------------------------------------------------------------


def set_policy(project: Project, *, n_approvals: int, required: Iterable[User], by: User) -> Policy:
    """Change what the project asks for; it holds for open proposals at once."""
    with project_locked(project):
        before = policy_of(project)
        policy, _ = ReviewPolicy.objects.update_or_create(project=project, defaults={"n_approvals": n_approvals})
        policy.required.set(required)
        after = policy_of(project)
        if after != before:
            audit.record(
                project,
                "policy.changed",
                by=by,
                subject="the sign-off policy",
                before=_policy_facts(before),
                after=_policy_facts(after),
            )
    return after


def _policy_facts(policy: Policy) -> dict[str, Any]:
    return {"approvals": policy.n_approvals, "required reviewers": sorted(policy.required)}


# What people do -------------------------------------------------------------------------------------------------


def propose(checkpoint: Checkpoint, *, note: str, by: User) -> Proposal:
    """Propose a scored checkpoint for promotion, on the scores that it has now."""
    if not checkpoint.has_weights:
        raise NotPossibleError(
            f"the results of {checkpoint.run} were published elsewhere; there are no weights to promote", "no_weights"
        )
    if checkpoint.is_mid_stage:
        raise NotPossibleError(
            f"{checkpoint} is the middle of a stage and no row of the matrix; propose the end of the stage", "mid_stage"
        )
    if not checkpoint.is_scored:
        raise NotPossibleError(
            f"{checkpoint} is not scored yet, only a scored checkpoint can be proposed; wait for its scores",
            "not_scored",
        )
    document = frozen.freeze(checkpoint)
    project = checkpoint.run.project
    try:
        with transaction.atomic():
            proposal = Proposal.objects.create(
                project=project,
                checkpoint=checkpoint,
                proposer=by,
                note=note,
                frozen=document,
                digest=frozen.digest(document),
                frozen_at=timezone.now(),
            )
            _record(proposal, "proposal.made", by=by, after={"scores": proposal.digest, "note": note})
            _ask(proposal, by=by)
    except IntegrityError:
        raise NotPossibleError(
            f"{checkpoint} of {checkpoint.run} has an open proposal already; review that one, or withdraw it first",
            "already_proposed",
        ) from None
    return proposal


def review(proposal: Proposal, verdict: Verdict, *, note: str, by: User, seen: str = "") -> Review:
    """Give a verdict on the frozen scores; an earlier one of the same person no longer counts.

    seen: the digest of what the person looked at, so that nobody approves scores that were taken up meanwhile.
    """
    with _standing_locked(proposal) as standing:
        _must_be_open(standing, "reviewed")
        if by == proposal.proposer:
            raise NotPossibleError(
                "you proposed this checkpoint, and nobody reviews their own proposal; ask another reviewer, or withdraw it",
                "own_proposal",
            )
        if standing.is_stale or seen not in ("", proposal.digest):
            raise _stale("reviewed")
        earlier = next((found for found in standing.verdicts if found.reviewer == by), None)
        if earlier and (earlier.verdict, earlier.note, earlier.digest) == (verdict, note, proposal.digest):
            return earlier  # a second click
        before = _verdict_facts(earlier) if earlier else None
        made = Review.objects.create(
            proposal=proposal, reviewer=by, verdict=verdict, note=note, digest=standing.proposal.digest
        )
        _record(proposal, "proposal.reviewed", by=by, before=before, after=_verdict_facts(made))
        notices.tell_of_review(proposal, by=by)
    return made


def renew(proposal: Proposal, *, by: User) -> None:
    """Freeze the scores as they are now; verdicts on the earlier ones stay to be read and no longer count."""
    with _standing_locked(proposal) as standing:
        _must_be_open(standing, "changed")
        if not standing.is_stale:
            raise NotPossibleError(
                "the scores are still those that were frozen; there is nothing to take up", "not_stale"
            )
        document, before = frozen.freeze(proposal.checkpoint), proposal.digest
        proposal.frozen, proposal.digest, proposal.frozen_at = document, frozen.digest(document), timezone.now()
        proposal.save(update_fields=["frozen", "digest", "frozen_at"])
        _record(
            proposal, "proposal.renewed", by=by, before={"scores": before},
            after={"scores": proposal.digest, "changes": list(standing.changes)},
        )  # fmt: skip
        _ask(proposal, by=by)


def withdraw(proposal: Proposal, *, by: User) -> None:
    """Close a proposal without promoting anything; other people's only a maintainer withdraws."""
    if by != proposal.proposer:
        require(by, proposal.project, Role.MAINTAINER)
    with _standing_locked(proposal) as standing:
        _must_be_open(standing, "withdrawn")
        proposal.withdrawn_at = timezone.now()
        proposal.save(update_fields=["withdrawn_at"])
        _record(proposal, "proposal.withdrawn", by=by, before={"state": standing.state}, after={"state": "withdrawn"})


def promote(proposal: Proposal, alias: str, *, by: User) -> Alias:
    """Give the checkpoint an alias, which leaves whatever had it; a promoted one may get it back the same way."""
    with project_locked(proposal.project), _standing_locked(proposal) as standing:
        if standing.state == "withdrawn":
            raise NotPossibleError("this proposal is withdrawn; propose the checkpoint anew", "closed")
        if standing.is_stale:
            raise _stale("promoted")
        if not standing.is_met:
            raise NotPossibleError(f"this checkpoint cannot be promoted: {still_needed(standing)}", "policy_unmet")
        now, moved = timezone.now(), Alias.objects.filter(project=proposal.project, name=alias).first()
        if moved and moved.proposal == proposal and moved.moved_at >= proposal.frozen_at:
            return moved  # a second click: nothing moves
        before = {alias: moved.checkpoint.public_id if moved else None}
        fields = {"checkpoint": proposal.checkpoint, "proposal": proposal, "moved_by": by, "moved_at": now}
        made, _ = Alias.objects.update_or_create(project=proposal.project, name=alias, defaults=fields)
        proposal.promoted_at = now
        proposal.save(update_fields=["promoted_at"])
        after = {alias: proposal.checkpoint.public_id, "scores": proposal.digest}
        _record(proposal, "alias.moved", by=by, before=before, after=after)
    return made


@contextmanager
def _standing_locked(proposal: Proposal) -> Iterator[Standing]:
    """One change of a proposal at a time; yields where it stands once it is ours."""
    with transaction.atomic():
        Proposal.objects.select_for_update().get(pk=proposal.pk)
        proposal.refresh_from_db(fields=["frozen", "digest", "withdrawn_at", "promoted_at"])
        yield standing_of(proposal)


def _ask(proposal: Proposal, *, by: User) -> None:
    """Ask the required reviewers for a verdict, or everybody who may give one where none is named."""
    may_review, required = reviewers_of(proposal.project), policy_of(proposal.project).required
    asked = [user for name, user in may_review.items() if name in required or not required]
    notices.ask_for_review(proposal, [user for user in asked if user != proposal.proposer], by=by)


def _must_be_open(standing: Standing, done: str) -> None:
    if not standing.is_open:
        raise NotPossibleError(
            f"this proposal is {standing.state} and cannot be {done}; propose the checkpoint anew", "closed"
        )


def _stale(done: str) -> NotPossibleError:
    words = "its scores are no longer those that were proposed; look at what changed, and take up the new scores first"
    return NotPossibleError(f"this proposal cannot be {done}: {words}", "stale")


def _verdict_facts(review: Review) -> dict[str, Any]:
    return {"verdict": review.verdict, "note": review.note, "scores": review.digest}


def _record(proposal: Proposal, action: str, *, by: User, **facts: Any) -> None:
    url = reverse("proposal", args=(proposal.project.slug, proposal.public_id))
    audit.record(proposal.project, action, by=by, subject=str(proposal), url=url, **facts)

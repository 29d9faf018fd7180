"""Where a proposal for promotion stands.

Nothing of it is stored. It follows from the reviews, the policy, who may review today, and whether the scores are still
those that were frozen, so it cannot disagree with any of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from django.contrib.auth.models import User

from runs import frozen
from runs.models import Membership, Project, Proposal, Review, ReviewPolicy, Role, Run, Verdict

REVIEW = Role.REVIEWER
State = Literal["awaiting review", "approved", "changes requested", "rejected", "promoted", "withdrawn"]


@dataclass(frozen=True)
class Policy:
    """What a project asks for before a checkpoint may be promoted."""

    n_approvals: int
    required: frozenset[str]  # user names


@dataclass(frozen=True)
class Standing:
    """Where a proposal stands: its state in one word, and what that follows from."""

    proposal: Proposal
    state: State
    n_needed: int
    approved_by: tuple[str, ...]
    missing: tuple[str, ...]  # required reviewers who have not approved
    verdicts: tuple[Review, ...]  # the last of each person, where it counts
    history: tuple[Review, ...]  # every verdict, the oldest first
    changes: tuple[str, ...]  # what the scores are no longer; empty: they are as frozen

    @property
    def is_stale(self) -> bool:
        return bool(self.changes)

    @property
    def is_open(self) -> bool:
        return self.state not in ("promoted", "withdrawn")

    @property
    def n_missing(self) -> int:
        """Approvals that are still to come, named reviewers or others."""
        return max(self.n_needed - len(self.approved_by), len(self.missing))

    @property
    def is_met(self) -> bool:
        """Whether the policy is met by verdicts on the scores as they are."""
        return not self.is_stale and _word(self) == "approved"


def policy_of(project: Project) -> Policy:
    """The project's policy: one approval by anybody who may review, unless an owner says otherwise."""
    policy = ReviewPolicy.objects.filter(project=project).first()
    if policy is None:
        return Policy(ReviewPolicy._meta.get_field("n_approvals").default, frozenset())
    return Policy(policy.n_approvals, frozenset(policy.required.values_list("username", flat=True)))


def reviewers_of(project: Project) -> dict[str, User]:
    """Who may review today, by user name."""
    members = Membership.objects.filter(project=project).select_related("user").order_by("user__username")
    return {member.user.username: member.user for member in members if Role(member.role).may(REVIEW)}


def standing_of(proposal: Proposal) -> Standing:
    """Where one proposal stands."""
    return standings(proposal.project, [proposal])[0]


def standings_of_run(run: Run) -> list[Standing]:
    """Where the proposals of a run stand, the newest first."""
    proposals = list(
        Proposal.objects.filter(checkpoint__run=run)
        .select_related("project", "checkpoint__stage", "proposer")
        .prefetch_related("aliases")
    )
    for proposal in proposals:
        proposal.checkpoint.run = run
    return standings(run.project, proposals)


def standings(project: Project, proposals: Sequence[Proposal]) -> list[Standing]:
    """Where proposals of a project stand, in as few queries as for one."""
    if not proposals:
        return []
    policy, reviewers = policy_of(project), reviewers_of(project)
    now = frozen.freeze_all(proposal.checkpoint for proposal in proposals)
    reviews: dict[int, list[Review]] = {proposal.pk: [] for proposal in proposals}
    for found in Review.objects.filter(proposal__in=proposals).select_related("reviewer"):
        reviews[found.proposal_id].append(found)
    return [
        _standing(proposal, reviews[proposal.pk], now[proposal.checkpoint_id], policy=policy, may_review=set(reviewers))
        for proposal in proposals
    ]


def _standing(
    proposal: Proposal, reviews: list[Review], now: frozen.Frozen, *, policy: Policy, may_review: set[str]
) -> Standing:
    last = {found.reviewer.username: found for found in reviews}  # a later verdict replaces an earlier one
    counted = {name: found for name, found in last.items() if found.digest == proposal.digest and name in may_review}
    approved = tuple(name for name, found in counted.items() if found.verdict == Verdict.APPROVE)
    required = policy.required & may_review - {proposal.proposer.username}
    is_same = frozen.digest(now) == proposal.digest
    standing = Standing(
        proposal=proposal,
        state="awaiting review",
        n_needed=policy.n_approvals,
        approved_by=approved,
        missing=tuple(sorted(required - set(approved))),
        verdicts=tuple(counted.values()),
        history=tuple(reviews),
        changes=()
        if is_same
        else tuple(frozen.differences(proposal.frozen, now)) or ("the checkpoint's scores changed",),
    )
    return replace(standing, state=_state(standing))


def _state(standing: Standing) -> State:
    if standing.proposal.withdrawn_at:
        return "withdrawn"
    return "promoted" if standing.proposal.promoted_at else _word(standing)


def _word(standing: Standing) -> State:
    """What the verdicts come to, whatever happened to the proposal since."""
    found = {review.verdict for review in standing.verdicts}
    if Verdict.REJECT in found:
        return "rejected"
    if Verdict.REQUEST_CHANGES in found:
        return "changes requested"
    return "awaiting review" if standing.n_missing else "approved"


def still_needed(standing: Standing) -> str:
    """Say what a proposal lacks, in words; empty where the policy is met."""
    if standing.is_met:
        return ""
    if standing.is_stale:
        return "its scores are no longer those that were proposed"
    objecting = [review for review in standing.verdicts if review.verdict != Verdict.APPROVE]
    if objecting:
        return " and ".join(f"{found.reviewer} {found.get_verdict_display()}" for found in objecting)
    others = standing.n_missing - len(standing.missing)
    parts = [f"the approval of {name}" for name in standing.missing]
    if others:
        more = " more" if standing.approved_by else " other" if parts else ""
        parts.append(f"{others}{more} approval{'s' if others > 1 else ''}")
    return f"it waits for {' and '.join(parts)}"


def foremost(found: Sequence[Standing]) -> Standing | None:
    """Pick the proposal that a run is spoken of by: one that waits for somebody, else the last that was promoted."""
    by_urgency = [*(standing for standing in found if standing.is_open), *found]
    return next((standing for standing in by_urgency if standing.state != "withdrawn"), None)


def in_a_phrase(standing: Standing) -> str:
    """Say in one phrase whether a checkpoint is signed off."""
    name, stale = standing.proposal.checkpoint, ", and stale: its scores changed since" if standing.is_stale else ""
    if standing.state == "promoted":
        aliases = " and ".join(alias.name for alias in standing.proposal.aliases.all())
        return (
            f"{name} is promoted as {aliases}{stale}"
            if aliases
            else f"{name} was promoted, and has no alias now{stale}"
        )
    if stale:
        return f"{name} is proposed{stale}"
    if standing.is_met:
        return (
            f"{name} is approved by {' and '.join(standing.approved_by)}"
            if standing.approved_by
            else f"{name} is proposed, and needs no approval"
        )
    return f"{name} is proposed; {still_needed(standing)}"

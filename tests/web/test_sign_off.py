"""Sign-off: who may approve what, when a checkpoint may be promoted, and what makes an approval stale."""

import pytest
from django.contrib.auth.models import User
from django.db import Error, connection, transaction
from django.test.utils import CaptureQueriesContext

from runs import reviews
from runs.access import RoleTooLowError
from runs.lifecycle import NotPossibleError
from runs.models import Alias, AuditEntry, Checkpoint, ItemResult, Membership, Proposal, Role, Run, Verdict
from runs.standings import Standing, standing_of, standings, still_needed
from tests.web.some_runs import finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(run: Run) -> User:
    return run.created_by


@pytest.fixture
def proposal(run: Run, ada: User) -> Proposal:
    finish(run, "warm")
    return reviews.propose(_checkpoint(run), note="no domain lost", by=ada)


def _checkpoint(run: Run) -> Checkpoint:
    return Checkpoint.objects.select_related("run__project", "stage").get(run=run, stage__name="warm")


def _approve(proposal: Proposal, by: User) -> Standing:
    reviews.review(proposal, Verdict.APPROVE, note="", by=by)
    return standing_of(proposal)


def _rescore(proposal: Proposal) -> None:
    item = ItemResult.objects.filter(score__checkpoint=proposal.checkpoint, score__benchmark__domain="stem").first()
    assert item is not None
    ItemResult.objects.filter(pk=item.pk).update(value=1 - item.value)


def test_a_checkpoint_is_proposed_approved_and_promoted(proposal: Proposal, ada: User, grace: User) -> None:
    assert standing_of(proposal).state == "awaiting review"
    assert still_needed(standing_of(proposal)) == "it waits for 1 approval"
    standing = _approve(proposal, grace)
    assert (standing.state, standing.approved_by, standing.is_met) == ("approved", ("grace",), True)
    reviews.promote(proposal, "production", by=ada)
    assert Alias.objects.get().checkpoint == proposal.checkpoint
    assert standing_of(proposal).state == "promoted"


def test_nobody_approves_their_own_proposal(proposal: Proposal, ada: User) -> None:
    with pytest.raises(NotPossibleError, match="nobody reviews their own proposal") as found:
        _approve(proposal, ada)
    assert found.value.code == "own_proposal"


def test_a_policy_of_no_approval_leaves_it_to_whoever_may_promote(proposal: Proposal, ada: User) -> None:
    reviews.set_policy(proposal.project, n_approvals=0, required=[], by=ada)
    reviews.promote(proposal, "production", by=ada)
    assert Alias.objects.get().name == "production"


def test_required_reviewers_must_be_among_those_who_approve(
    proposal: Proposal, ada: User, grace: User, alan: User
) -> None:
    reviews.set_policy(proposal.project, n_approvals=2, required=[grace], by=ada)
    assert still_needed(standing_of(proposal)) == "it waits for the approval of grace and 1 other approval"
    assert still_needed(_approve(proposal, alan)) == "it waits for the approval of grace"
    with pytest.raises(NotPossibleError, match="cannot be promoted: it waits for the approval of grace") as found:
        reviews.promote(proposal, "production", by=ada)
    assert found.value.code == "policy_unmet"
    assert _approve(proposal, grace).is_met


def test_who_proposes_is_not_waited_for(proposal: Proposal, ada: User, grace: User) -> None:
    reviews.set_policy(proposal.project, n_approvals=1, required=[ada], by=ada)
    assert standing_of(proposal).missing == ()
    assert _approve(proposal, grace).is_met


def test_a_later_verdict_of_the_same_person_replaces_the_earlier(proposal: Proposal, grace: User, alan: User) -> None:
    reviews.review(proposal, Verdict.REQUEST_CHANGES, note="code fell", by=grace)
    assert still_needed(_approve(proposal, alan)) == "grace requested changes"
    reviews.review(proposal, Verdict.REJECT, note="no", by=grace)
    assert standing_of(proposal).state == "rejected"
    assert _approve(proposal, grace).state == "approved"
    assert proposal.reviews.count() == 4


def test_who_may_review_no_longer_does_not_count(proposal: Proposal, grace: User) -> None:
    assert _approve(proposal, grace).is_met
    Membership.objects.filter(user=grace).update(role=Role.VIEWER)
    assert not standing_of(proposal).is_met


def test_new_scores_make_it_stale_until_they_are_taken_up(proposal: Proposal, ada: User, grace: User) -> None:
    _approve(proposal, grace)
    _rescore(proposal)
    standing = standing_of(proposal)
    assert standing.is_stale
    assert standing.changes[0].startswith("STEM: 1 of 16 problems graded differently")
    for act in (lambda: reviews.promote(proposal, "production", by=ada), lambda: _approve(proposal, grace)):
        with pytest.raises(NotPossibleError, match="take up the new scores") as found:
            act()
        assert found.value.code == "stale"
    reviews.renew(proposal, by=ada)
    assert not standing_of(proposal).is_stale
    assert standing_of(proposal).approved_by == ()
    assert _approve(proposal, grace).is_met


def test_a_verdict_on_scores_that_were_taken_up_meanwhile_is_refused(
    proposal: Proposal, ada: User, grace: User
) -> None:
    seen = proposal.digest
    _rescore(proposal)
    reviews.renew(proposal, by=ada)
    with pytest.raises(NotPossibleError, match="look at what changed"):
        reviews.review(proposal, Verdict.APPROVE, note="", by=grace, seen=seen)


def test_a_promoted_checkpoint_shows_that_its_scores_changed(proposal: Proposal, ada: User, grace: User) -> None:
    _approve(proposal, grace)
    reviews.promote(proposal, "production", by=ada)
    _rescore(proposal)
    standing = standing_of(proposal)
    assert (standing.state, standing.is_stale, standing.is_met) == ("promoted", True, False)
    with pytest.raises(NotPossibleError, match="propose the checkpoint anew"):
        reviews.renew(proposal, by=ada)
    assert reviews.propose(_checkpoint(proposal.checkpoint.run), note="anew", by=ada).digest != proposal.digest


def test_an_alias_moves_and_comes_back(proposal: Proposal, ada: User, grace: User, run: Run) -> None:
    _approve(proposal, grace)
    reviews.promote(proposal, "production", by=ada)
    base = Checkpoint.objects.select_related("run__project", "stage").get(run=run, stage=None)
    other = reviews.propose(base, note="the base", by=ada)
    _approve(other, grace)
    reviews.promote(other, "production", by=ada)
    assert Alias.objects.get().checkpoint == base
    reviews.promote(proposal, "production", by=ada)
    assert Alias.objects.get().checkpoint == proposal.checkpoint
    moves = AuditEntry.objects.filter(action="alias.moved").order_by("pk")
    first, second = proposal.checkpoint.public_id, base.public_id
    assert [entry.before["production"] for entry in moves] == [None, first, second]
    assert [entry.after["production"] for entry in moves] == [first, second, first]


def test_what_is_withdrawn_is_closed_and_can_be_proposed_anew(proposal: Proposal, ada: User, grace: User) -> None:
    with pytest.raises(NotPossibleError, match="has an open proposal already"):
        reviews.propose(proposal.checkpoint, note="again", by=ada)
    with pytest.raises(RoleTooLowError):
        reviews.withdraw(proposal, by=grace)
    reviews.withdraw(proposal, by=ada)
    for act in (lambda: _approve(proposal, grace), lambda: reviews.promote(proposal, "x", by=ada)):
        with pytest.raises(NotPossibleError, match="withdrawn"):
            act()
    reviews.propose(proposal.checkpoint, note="again", by=ada)


def test_a_checkpoint_without_scores_cannot_be_proposed(run: Run, ada: User) -> None:
    finish(run, "warm")
    waiting = Checkpoint(run=run, stage=run.stages.get(name="if_rl"), at_step=6, folder="if_rl/checkpoints/step_000006")
    with pytest.raises(NotPossibleError, match="not scored yet"):
        reviews.propose(waiting, note="early", by=ada)


def test_everything_is_in_the_audit_log(proposal: Proposal, ada: User, grace: User) -> None:
    reviews.set_policy(proposal.project, n_approvals=2, required=[grace], by=ada)
    reviews.set_policy(proposal.project, n_approvals=2, required=[grace], by=ada)  # changes nothing
    reviews.review(proposal, Verdict.REJECT, note="no", by=grace)
    _approve(proposal, grace)
    _rescore(proposal)
    reviews.renew(proposal, by=ada)
    reviews.withdraw(proposal, by=ada)
    entries = list(AuditEntry.objects.order_by("pk"))
    assert [(entry.actor.username, entry.action) for entry in entries] == [
        ("ada", "proposal.made"),
        ("ada", "policy.changed"),
        ("grace", "proposal.reviewed"),
        ("grace", "proposal.reviewed"),
        ("ada", "proposal.renewed"),
        ("ada", "proposal.withdrawn"),
    ]
    assert entries[1].before == {"approvals": 1, "required reviewers": []}
    assert entries[1].after == {"approvals": 2, "required reviewers": ["grace"]}
    assert entries[3].before["verdict"] == "reject"
    assert entries[3].after["verdict"] == "approve"
    assert entries[5].before == {"state": "awaiting review"}


def test_the_audit_log_is_only_ever_added_to(proposal: Proposal) -> None:
    for act in (AuditEntry.objects.all().delete, lambda: AuditEntry.objects.update(action="nothing")):
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            act()
    assert AuditEntry.objects.count() == 1


def test_many_proposals_take_as_few_queries_as_one(proposal: Proposal, ada: User, run: Run) -> None:
    with CaptureQueriesContext(connection) as one:
        standings(run.project, [proposal])
    base = Checkpoint.objects.select_related("run__project", "stage").get(run=run, stage=None)
    other = reviews.propose(base, note="the base", by=ada)
    with CaptureQueriesContext(connection) as two:
        standings(run.project, [proposal, other])
    assert len(two) == len(one)


def test_a_second_click_says_nothing_twice(proposal: Proposal, ada: User, grace: User) -> None:
    for _ in range(2):
        reviews.review(proposal, Verdict.REJECT, note="fine", by=grace)
    assert proposal.reviews.count() == 1
    reviews.review(proposal, Verdict.APPROVE, note="fine", by=grace)
    assert proposal.reviews.count() == 2
    for _ in range(2):
        reviews.promote(proposal, "production", by=ada)
    assert list(AuditEntry.objects.values_list("action", flat=True).order_by("pk")) == [
        "proposal.made", "proposal.reviewed", "proposal.reviewed", "alias.moved"
    ]  # fmt: skip

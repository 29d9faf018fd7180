"""The pages of sign-off: the drift page's section, a proposal, the policy beside the members, the audit log."""

import html

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs import reviews
from runs.models import Alias, AuditEntry, ItemResult, Project, Proposal, Review, Role, Run, Verdict
from runs.pages.audit_log import PER_PAGE
from runs.standings import policy_of
from tests.web.page_forms import form_fields
from tests.web.some_runs import a_member, finish

pytestmark = pytest.mark.django_db
DRIFT = "/projects/team/runs/1/drift/"
AUDIT = "/projects/team/audit/"


@pytest.fixture
def finished(run: Run) -> Run:
    finish(run, "warm", "if_rl")
    return run


@pytest.fixture
def proposal(finished: Run) -> Proposal:
    checkpoint = finished.checkpoints.get(stage__name="if_rl")
    return reviews.propose(checkpoint, note="see <b>code</b>", by=finished.created_by)


def _signed_in(project: Project, name: str, role: Role) -> Client:
    client = Client()
    client.force_login(a_member(project, name, role), backend="django.contrib.auth.backends.ModelBackend")
    return client


def _page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def _address(proposal: Proposal) -> str:
    return f"/projects/team/proposals/{proposal.public_id}/"


def test_a_checkpoint_is_proposed_from_the_drift_page(finished: Run, ada: Client) -> None:
    page = _page(ada, DRIFT)
    assert "No checkpoint of this run has been proposed yet" in page
    assert "needs 1 approval" in page
    newest = finished.checkpoints.get(stage__name="if_rl")
    assert page.index("if_rl at step 6</option>") < page.index("base at step 0</option>")
    answer = ada.post(f"{DRIFT.replace('drift', 'propose')}", {"checkpoint": newest.public_id, "note": "good"})
    assert answer.headers["Location"] == _address(Proposal.objects.get())
    page = _page(ada, DRIFT)
    assert "it waits for 1 approval" in page
    assert "if_rl at step 6</option>" not in page


@pytest.mark.parametrize("form", [{}, {"checkpoint": "ckpt_x"}, {"note": "x" * 4001, "checkpoint": "ckpt_x"}])
def test_a_proposal_that_lacks_something_says_what(form: dict[str, str], finished: Run, ada: Client) -> None:
    assert "Nothing was proposed." in ada.post("/projects/team/runs/1/propose/", form, follow=True).content.decode()
    assert not Proposal.objects.exists()


def test_a_checkpoint_of_another_run_cannot_be_proposed(finished: Run, ada: Client) -> None:
    form = {"checkpoint": "ckpt_0000000000000000", "note": "look"}
    assert ada.post("/projects/team/runs/1/propose/", form).status_code == 404


def test_the_page_shows_what_is_to_be_approved_and_a_note_is_no_html(proposal: Proposal, ada: Client) -> None:
    answer = ada.get(_address(proposal))
    page = answer.content.decode()
    assert "see &lt;b&gt;code&lt;/b&gt;" in page
    assert proposal.digest in page
    assert "You proposed it, so others review it" in page
    assert "Nobody has reviewed it yet" in page
    for score in proposal.frozen["scores"]:
        assert f"{100 * score['mean']:.1f}" in page


def test_a_reviewer_gives_a_verdict_and_the_maker_promotes(proposal: Proposal, ada: Client) -> None:
    grace = _signed_in(proposal.project, "grace", Role.REVIEWER)
    page = _page(grace, _address(proposal))
    fields = form_fields(page, "review")
    assert fields["digest"] == proposal.digest
    grace.post(f"{_address(proposal)}review/", {**fields, "verdict": "approve"})
    assert Review.objects.get().digest == proposal.digest
    assert "Promote</button>" not in _page(grace, _address(proposal))
    assert "it can be promoted" in _page(ada, _address(proposal))
    ada.post(f"{_address(proposal)}promote/", {"alias": "production"})
    assert Alias.objects.get().checkpoint == proposal.checkpoint
    assert "approved by grace" in _page(ada, _address(proposal))
    assert '<span class="chip">production</span>' in _page(ada, DRIFT)


def test_a_refusal_needs_words_and_keeps_what_was_chosen(proposal: Proposal) -> None:
    grace = _signed_in(proposal.project, "grace", Role.REVIEWER)
    answer = grace.post(f"{_address(proposal)}review/", {"verdict": "reject", "note": " "})
    assert answer.status_code == 422
    page = html.unescape(answer.content.decode())
    assert "found no note, expected what should change or why not" in page
    assert '<option value="reject" selected>' in page
    assert not Review.objects.exists()


@pytest.mark.parametrize("alias", ["", "two words", "x" * 41])
def test_an_alias_that_is_no_word_is_refused(alias: str, proposal: Proposal, ada: Client) -> None:
    answer = ada.post(f"{_address(proposal)}promote/", {"alias": alias}, follow=True)
    assert "Nothing was promoted. Alias:" in answer.content.decode()


def test_what_cannot_be_done_is_said_in_words(proposal: Proposal, ada: Client) -> None:
    for action, form, words in (
        ("promote", {"alias": "production"}, "it waits for 1 approval."),
        ("review", {"verdict": "approve"}, "nobody reviews their own proposal"),
        ("renew", {}, "there is nothing to take up"),
    ):
        page = ada.post(f"{_address(proposal)}{action}/", form, follow=True).content.decode()
        assert words in html.unescape(page), action


def test_stale_is_shown_with_what_changed(proposal: Proposal, ada: Client) -> None:
    ItemResult.objects.filter(score__checkpoint=proposal.checkpoint, item=0).update(value=0.25)
    page = _page(ada, _address(proposal))
    assert "Stale: the scores changed since they were frozen" in page
    assert "graded differently" in page
    assert 'data-status="stale"' in _page(ada, DRIFT)
    ada.post(f"{_address(proposal)}renew/")
    assert "Stale" not in _page(ada, _address(proposal))


def test_the_verdict_ends_with_where_the_sign_off_stands(proposal: Proposal, ada: Client) -> None:
    grace, link = a_member(proposal.project, "grace", Role.REVIEWER), f'Sign-off: <a href="{_address(proposal)}">'
    here = f"{link}if_rl at step 6 is"
    assert f"{here} proposed; it waits for 1 approval</a>." in _page(ada, DRIFT)
    reviews.review(proposal, Verdict.REQUEST_CHANGES, note="more", by=grace)
    assert f"{here} proposed; grace requested changes</a>." in _page(ada, DRIFT)
    reviews.review(proposal, Verdict.APPROVE, note="", by=grace)
    assert f"{here} approved by grace</a>." in _page(ada, DRIFT)
    reviews.promote(proposal, "production", by=proposal.proposer)
    assert f"{here} promoted as production</a>." in _page(ada, DRIFT)
    assert "Sign-off: if_rl at step 6 is promoted as production." in _page(ada, f"{DRIFT}export/report.md")
    other = reviews.propose(proposal.checkpoint.run.checkpoints.get(stage=None), note="look", by=proposal.proposer)
    assert f'Sign-off: <a href="{_address(other)}">base at step 0 is proposed' in _page(ada, DRIFT)
    reviews.withdraw(other, by=proposal.proposer)
    ItemResult.objects.filter(score__checkpoint=proposal.checkpoint, item=0).update(value=0.25)
    assert f"{here} promoted as production, and stale: its scores changed since</a>." in _page(ada, DRIFT)


def test_a_run_without_proposals_has_no_word_of_sign_off_in_its_verdict(finished: Run, ada: Client) -> None:
    assert "Sign-off: " not in _page(ada, DRIFT)


def test_replaced_and_outdated_verdicts_stay_and_say_so(proposal: Proposal, ada: Client) -> None:
    grace = a_member(proposal.project, "grace", Role.REVIEWER)
    reviews.review(proposal, Verdict.REJECT, note="too early", by=grace)
    reviews.review(proposal, Verdict.APPROVE, note="", by=grace)
    page = _page(ada, _address(proposal))
    assert "too early" in page
    assert "replaced by a later one" in page
    ItemResult.objects.filter(score__checkpoint=proposal.checkpoint, item=0).update(value=0.25)
    reviews.renew(proposal, by=proposal.proposer)
    assert "of earlier scores" in _page(ada, _address(proposal))


def test_withdrawn_leaves_no_form(proposal: Proposal, ada: Client) -> None:
    ada.post(f"{_address(proposal)}withdraw/")
    page = _page(ada, _address(proposal))
    assert "Withdrawn" in page
    assert f'action="{_address(proposal)}' not in page


def test_a_viewer_sees_it_all_and_no_form(proposal: Proposal) -> None:
    vera = _signed_in(proposal.project, "vera", Role.VIEWER)
    page = _page(vera, _address(proposal))
    assert f'action="{_address(proposal)}' not in page
    assert "Your role is viewer: a reviewer may give a verdict" in page
    assert "a runner may propose a checkpoint" in _page(vera, DRIFT)


def test_owners_set_the_policy_beside_the_members(finished: Run, ada: Client) -> None:
    a_member(finished.project, "grace", Role.REVIEWER)
    form = {"n_approvals": "2", "required": ["grace"]}
    page = ada.post("/projects/team/policy/", form, follow=True).content.decode()
    assert "A promotion needs 2 approvals, grace among them now." in page
    assert policy_of(finished.project).required == {"grace"}
    maintainer = _signed_in(finished.project, "max", Role.MAINTAINER)
    assert "Owners change it" in _page(maintainer, "/projects/team/members/")
    assert maintainer.post("/projects/team/policy/", form).status_code == 403


@pytest.mark.parametrize(
    "form", [{"n_approvals": "11"}, {"n_approvals": "-1"}, {"n_approvals": "1", "required": "eve"}]
)
def test_a_policy_that_cannot_be_met_is_refused(form: dict[str, str], finished: Run, ada: Client) -> None:
    page = ada.post("/projects/team/policy/", form, follow=True).content.decode()
    assert "The policy is as it was." in page
    assert policy_of(finished.project).n_approvals == 1


def test_the_audit_log_tells_everything_in_pages(proposal: Proposal, ada: Client) -> None:
    page = _page(ada, AUDIT)
    assert "proposed for promotion" in page
    assert _address(proposal) in page
    user: User = proposal.proposer
    AuditEntry.objects.bulk_create(
        AuditEntry(project=proposal.project, actor=user, action="policy.changed", subject=f"entry {n}")
        for n in range(PER_PAGE)
    )
    assert "entry 0" in _page(ada, AUDIT)
    assert "proposed for promotion" not in _page(ada, AUDIT)
    assert "proposed for promotion" in _page(ada, f"{AUDIT}?page=2")
    assert _page(ada, f"{AUDIT}?page=nonsense")


def test_an_empty_audit_log_says_what_will_be_there(run: Run, ada: Client) -> None:
    assert "Nothing has happened yet" in _page(ada, AUDIT)

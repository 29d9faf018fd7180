"""Sign-off: the section at the end of a drift page, the page of a proposal, and what can be done there."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runs import notices, reviews
from runs.access import role_in
from runs.models import Alias, Checkpoint, Proposal, Review, Role, Run, Verdict
from runs.pages.exports import export_section
from runs.pages.find import find_proposal, find_run
from runs.pages.words import first_error, refusals_told
from runs.standings import (
    REVIEW,
    Policy,
    Standing,
    foremost,
    in_a_phrase,
    policy_of,
    reviewers_of,
    standing_of,
    standings_of_run,
    still_needed,
)
from workers.catalogue import describe

_SAID = {Verdict.APPROVE: "Approve", Verdict.REQUEST_CHANGES: "Request changes", Verdict.REJECT: "Reject"}


class ProposeForm(forms.Form):
    """Propose a scored checkpoint."""

    checkpoint = forms.CharField(max_length=24)
    note = forms.CharField(max_length=reviews.MAX_NOTE, widget=forms.Textarea)


class ReviewForm(forms.Form):
    """Give a verdict; all but an approval need words."""

    verdict = forms.ChoiceField(label="Verdict", choices=[(verdict.value, word) for verdict, word in _SAID.items()])
    note = forms.CharField(
        label="Note",
        max_length=reviews.MAX_NOTE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What you looked at, what should change, or why not. Needed unless you approve.",
    )
    digest = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("verdict") != Verdict.APPROVE and not data.get("note", "").strip() and "note" in data:
            self.add_error("note", "found no note, expected what should change or why not; write a line")
        return data


class PromoteForm(forms.Form):
    """Give the checkpoint an alias."""

    alias = forms.SlugField(
        label="Alias", max_length=40, initial="production", help_text="Whatever has this alias now loses it."
    )


# The drift page's section -----------------------------------------------------------------------------------------


def sign_off_section(run: Run, role: Role | None) -> dict[str, Any]:
    """What the section shows: the run's proposals, newest first, and which checkpoints could be proposed."""
    found = standings_of_run(run)
    spoken_of = foremost(found)
    busy = {standing.proposal.checkpoint_id for standing in found if standing.is_open}
    kept = [checkpoint for checkpoint in run.ends if checkpoint.has_weights]
    scored = [checkpoint for checkpoint in kept if checkpoint.is_scored and checkpoint.pk not in busy]
    return {
        "has_weights": bool(kept),
        "headline": (spoken_of.proposal, in_a_phrase(spoken_of)) if spoken_of else None,
        "lines": [(standing, still_needed(standing)) for standing in found],
        "policy": policy_words(policy_of(run.project)),
        "candidates": scored[::-1],  # the last is what is proposed most often
        "may_propose": role is not None and role.may(reviews.PROPOSE),
        "max_note": reviews.MAX_NOTE,
    }


def policy_words(policy: Policy) -> str:
    """Say what the project asks for, as half a sentence."""
    if not policy.n_approvals and not policy.required:
        return "no approval"
    n = max(policy.n_approvals, len(policy.required))
    named = f", {' and '.join(sorted(policy.required))} among them" if policy.required else ""
    return f"{n} approval{'s' if n > 1 else ''}{named}"


@require_POST
def propose(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Propose a checkpoint of a run for promotion."""
    assert isinstance(request.user, User)
    run = find_run(request, slug, number, needs=reviews.PROPOSE)
    form = ProposeForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Nothing was proposed. {first_error(form)}")
        return redirect(f"{reverse('runs:drift', args=(slug, number))}#sign-off")
    checkpoint = get_object_or_404(
        Checkpoint.objects.select_related("run__project", "stage"), run=run, public_id=form.cleaned_data["checkpoint"]
    )
    with refusals_told(request):
        proposal = reviews.propose(checkpoint, note=form.cleaned_data["note"], by=request.user)
        messages.success(request, f"Proposed {checkpoint} for promotion.")
        return redirect(proposal_url(proposal))
    return redirect(f"{reverse('runs:drift', args=(slug, number))}#sign-off")


# A proposal's page --------------------------------------------------------------------------------------------------


@require_safe
def proposal_page(request: HttpRequest, slug: str, proposal: str) -> HttpResponse:
    """Show a proposal: where it stands, what was frozen, what people said. Its notices count as read from then on."""
    assert isinstance(request.user, User)
    found = find_proposal(request, slug, proposal)
    notices.mark_read(notices.notices_of(request.user).filter(proposal=found))
    return _page(request, found)


@require_POST
def review(request: HttpRequest, slug: str, proposal: str) -> HttpResponse:
    """Give a verdict."""
    assert isinstance(request.user, User)
    found = find_proposal(request, slug, proposal, needs=REVIEW)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    verdict, note, seen = (form.cleaned_data[name] for name in ("verdict", "note", "digest"))
    with refusals_told(request):
        made = reviews.review(found, Verdict(verdict), note=note, by=request.user, seen=seen)
        messages.success(request, f"You {made.get_verdict_display()}. A later verdict of yours would replace it.")
    return redirect(proposal_url(found))


@require_POST
def renew(request: HttpRequest, slug: str, proposal: str) -> HttpResponse:
    """Take up the scores as they are now."""
    done = "The new scores are what is proposed now. Everybody reviews again."
    return _act(request, slug, proposal, reviews.renew, done=done)


@require_POST
def withdraw(request: HttpRequest, slug: str, proposal: str) -> HttpResponse:
    """Close a proposal without promoting anything."""
    return _act(request, slug, proposal, reviews.withdraw, done="Withdrawn. The checkpoint can be proposed anew.")


def _act(request: HttpRequest, slug: str, proposal: str, act: Callable[..., object], *, done: str) -> HttpResponse:
    """Do what takes nothing but a proposal and its person, and go back to its page with what came of it."""
    found = find_proposal(request, slug, proposal, needs=reviews.PROPOSE)
    with refusals_told(request):
        act(found, by=request.user)
        messages.success(request, done)
    return redirect(proposal_url(found))


@require_POST
def promote(request: HttpRequest, slug: str, proposal: str) -> HttpResponse:
    """Give the checkpoint an alias."""
    assert isinstance(request.user, User)
    found = find_proposal(request, slug, proposal, needs=reviews.PROMOTE)
    form = PromoteForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Nothing was promoted. {first_error(form)}")
        return redirect(proposal_url(found))
    with refusals_told(request):
        alias = reviews.promote(found, form.cleaned_data["alias"], by=request.user)
        messages.success(request, f"{found.checkpoint} is {alias} now.")
    return redirect(proposal_url(found))


def proposal_url(proposal: Proposal) -> str:
    return reverse("proposal", args=(proposal.project.slug, proposal.public_id))


def _page(
    request: HttpRequest, proposal: Proposal, *, form: ReviewForm | None = None, status: int = 200
) -> HttpResponse:
    assert isinstance(request.user, User)
    standing, run, project = standing_of(proposal), proposal.checkpoint.run, proposal.project
    role = role_in(request.user, project)
    is_own, reviewers = proposal.proposer == request.user, set(reviewers_of(project))
    context = {
        "project": project,
        "run": run,
        "proposal": proposal,
        "standing": standing,
        "needed": still_needed(standing),
        "policy": policy_words(policy_of(project)),
        "history": _history(standing, project_reviewers=reviewers),
        "has_other_reviewers": bool(reviewers - {proposal.proposer.username}),
        "scores": _scores(proposal),
        "export": export_section(standing, role),
        "aliases": proposal.aliases.all(),
        "known_aliases": Alias.objects.filter(project=project).select_related("checkpoint__run", "checkpoint__stage"),
        "form": form or ReviewForm(initial={"digest": proposal.digest, "verdict": Verdict.APPROVE}),
        "promote_form": PromoteForm(),
        "is_own": is_own,
        "role": role,
        "may_review": bool(role and role.may(REVIEW) and not is_own and standing.is_open and not standing.is_stale),
        "may_renew": bool(role and role.may(reviews.PROPOSE) and standing.is_open and standing.is_stale),
        "may_promote": bool(role and role.may(reviews.PROMOTE) and standing.is_met and standing.state != "withdrawn"),
        "may_withdraw": bool(role and standing.is_open and role.may(reviews.PROPOSE if is_own else Role.MAINTAINER)),
        "crumbs": [
            (project.name, reverse("runs:list", args=(project.slug,))),
            (str(run), reverse("runs:detail", args=(project.slug, run.number))),
            ("Drift", reverse("runs:drift", args=(project.slug, run.number))),
            ("Sign-off", ""),
        ],
    }
    return render(request, "proposal.html", context, status=status)


def _history(standing: Standing, *, project_reviewers: set[str]) -> list[tuple[Review, str]]:
    """Every verdict, the newest first, and why it does not count where it does not."""
    last = {made.reviewer_id: made.pk for made in standing.history}

    def discounted(made: Review) -> str:
        if last[made.reviewer_id] != made.pk:
            return "replaced by a later one"
        if made.digest != standing.proposal.digest:
            return "of earlier scores"
        return "" if made.reviewer.username in project_reviewers else "no longer a reviewer here"

    return [(made, discounted(made)) for made in reversed(standing.history)]


def _scores(proposal: Proposal) -> list[dict[str, Any]]:
    """The frozen scores on test problems, with those on validation problems beside them."""
    by_split: dict[str, dict[str, Any]] = {}
    for score in proposal.frozen["scores"]:
        line = by_split.setdefault(score["domain"], {"title": describe(score["domain"]).title})
        line[score["split"]] = {"mean": score["mean"], "n": len(score["items"])}
    return list(by_split.values())

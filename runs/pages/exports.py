"""What a proposal's page offers to take along: the model card with its sign-off, and the checkpoint as an archive."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from runs import exports
from runs.cards import sign_off_card
from runs.lifecycle import NotPossibleError
from runs.models import Role
from runs.pages.find import find_proposal
from runs.pages.words import refusals_told, sentence
from runs.standings import Standing, standing_of
from workers.model_card import without_front_matter
from workers.stage_dir import MODEL_CARD


def export_section(standing: Standing, role: Role | None) -> dict[str, Any]:
    """What the section shows: the card, and how large an export is, or why there is none."""
    section: dict[str, Any] = {
        "card": without_front_matter(sign_off_card(standing)),
        "may_export": role is not None and role.may(exports.EXPORT),
        "is_promoted": standing.state == "promoted",
    }
    try:
        return {**section, "found": exports.find_export(standing)}
    except NotPossibleError as error:
        return {**section, "problem": sentence(error)}


@require_safe
def card(request: HttpRequest, slug: str, proposal: str) -> HttpResponse:
    """Answer the model card as a file."""
    found = find_proposal(request, slug, proposal)
    headers = {"Content-Disposition": f'attachment; filename="{MODEL_CARD}"'}
    return HttpResponse(sign_off_card(standing_of(found)), "text/markdown; charset=utf-8", headers=headers)


@require_POST
def export(request: HttpRequest, slug: str, proposal: str) -> HttpResponse | StreamingHttpResponse:
    """Send the checkpoint as an archive, or go back to the page with the reason why not."""
    assert isinstance(request.user, User)
    found = find_proposal(request, slug, proposal, needs=exports.EXPORT)
    with refusals_told(request):
        return exports.answer(exports.begin_export(standing_of(found), by=request.user))
    return redirect("proposal", slug, proposal)

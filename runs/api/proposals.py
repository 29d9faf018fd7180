"""Sign-off: propose checkpoints for promotion, review and promote them; aliases, and the audit log."""

from typing import Any, get_args

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from runs import reviews
from runs.access import project_for
from runs.api.bodies import Input, NoInput
from runs.api.find import find_proposal, person
from runs.api.lists import Paging, page_of, paged, whole
from runs.api.openapi import operation
from runs.models import Alias, AuditEntry, Checkpoint, Project, Proposal, Verdict
from runs.standings import REVIEW, State, standing_of, standings, still_needed


class ReviewOut(serializers.Serializer[Any]):
    reviewer = serializers.CharField(source="reviewer.username")
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    note = serializers.CharField()
    digest = serializers.CharField(help_text="Of the scores that it speaks of")
    created_at = serializers.DateTimeField()


class ProposalSummary(serializers.Serializer[Any]):
    id = serializers.CharField(source="proposal.public_id")
    checkpoint = serializers.CharField(source="proposal.checkpoint.public_id")
    run = serializers.CharField(source="proposal.checkpoint.run.public_id")
    proposer = serializers.CharField(source="proposal.proposer.username")
    note = serializers.CharField(source="proposal.note")
    state = serializers.ChoiceField(choices=get_args(State))
    is_stale = serializers.BooleanField(help_text="Whether the scores are no longer those that were frozen")
    changes = serializers.ListField(child=serializers.CharField(), help_text="What changed since, in words")
    approvals_needed = serializers.IntegerField(source="n_needed")
    approved_by = serializers.ListField(child=serializers.CharField(), help_text="Whose approval counts today")
    missing = serializers.ListField(child=serializers.CharField(), help_text="Required reviewers who have not approved")
    still_needed = serializers.SerializerMethodField(help_text="In words; empty where the policy is met")
    digest = serializers.CharField(source="proposal.digest", help_text="sha256 of the frozen scores")
    created_at = serializers.DateTimeField(source="proposal.created_at")

    def get_still_needed(self, standing: Any) -> str:
        return still_needed(standing)


class FrozenScore(serializers.Serializer[Any]):
    domain = serializers.CharField()
    split = serializers.CharField()
    version = serializers.IntegerField()
    benchmark = serializers.CharField(help_text="The benchmark's digest")
    protocol = serializers.DictField()
    samples = serializers.IntegerField(help_text="Answers per problem")
    mean = serializers.FloatField(help_text="0 to 1")
    items = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="Pairs of item and value"
    )


class Frozen(serializers.Serializer[Any]):
    checkpoint = serializers.CharField()
    scores = FrozenScore(many=True)


class ProposalOut(ProposalSummary):
    frozen = Frozen(source="proposal.frozen", help_text="What the digest is of")
    frozen_at = serializers.DateTimeField(source="proposal.frozen_at")
    reviews = ReviewOut(source="history", many=True, help_text="Every verdict, the oldest first")


class AliasOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    checkpoint = serializers.CharField(source="checkpoint.public_id")
    proposal = serializers.CharField(source="proposal.public_id")
    moved_by = serializers.CharField(source="moved_by.username")
    moved_at = serializers.DateTimeField()


class AuditOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    actor = serializers.CharField(
        source="actor.username", allow_null=True, default=None, help_text="null: a gate of a run's recipe"
    )
    action = serializers.CharField(help_text="Such as proposal.reviewed or alias.moved")
    subject = serializers.CharField()
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    created_at = serializers.DateTimeField()


class MakeProposal(Input):
    checkpoint = serializers.CharField(max_length=24, help_text="Id of a scored checkpoint of this project")
    note = serializers.CharField(max_length=reviews.MAX_NOTE, help_text="Why this one")


class MakeReview(Input):
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    note = serializers.CharField(max_length=reviews.MAX_NOTE, default="", allow_blank=True)
    digest = serializers.CharField(
        max_length=64,
        default="",
        allow_blank=True,
        help_text="Of the scores you looked at; refused if they changed since",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["verdict"] != Verdict.APPROVE and not attrs["note"].strip():
            words = "found no note, expected what should change or why not; write a line"
            raise ValidationError({"note": ErrorDetail(words, "required")})
        return attrs


class Promote(Input):
    alias = serializers.SlugField(max_length=40, default="production", help_text="Whatever has it now loses it")


class Proposals(APIView):
    @operation(
        "list_proposals",
        "List a project's proposals, newest first",
        answer=page_of(ProposalSummary),
        parameters=[Paging],
        problems=(404, 422),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug)
        rows = Proposal.objects.filter(project=project).select_related("checkpoint__run", "proposer")
        return paged(
            request, rows, ProposalSummary, key="public_id", order="-pk", read=lambda page: standings(project, page)
        )

    @operation(
        "make_proposal",
        "Propose a checkpoint for promotion",
        about="Propose a scored checkpoint for promotion. Its scores, items and protocols are frozen as they are now. "
        "Codes of 409: no_weights, not_scored, already_proposed.",
        status=201,
        answer=ProposalOut,
        body=MakeProposal,
        problems=(404, 409),
    )
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug, needs=reviews.PROPOSE)
        asked = MakeProposal(data=request.data)
        asked.is_valid(raise_exception=True)
        checkpoint = _checkpoint(project, asked.validated_data["checkpoint"])
        proposal = reviews.propose(checkpoint, note=asked.validated_data["note"], by=person(request))
        headers = {"Location": reverse("api-proposal", args=[proposal.public_id])}
        return Response(_out(proposal), status=201, headers=headers)


class ProposalDetail(APIView):
    @operation("get_proposal", "Read a proposal", answer=ProposalOut, problems=(404,))
    def get(self, request: Request, public_id: str) -> Response:
        return Response(_out(find_proposal(request, public_id)))


class ReviewProposal(APIView):
    @operation(
        "review_proposal",
        "Approve, request changes or reject",
        about="Give a verdict on the frozen scores; it replaces your earlier one. Codes of 409: own_proposal, stale, closed.",
        answer=ProposalOut,
        body=MakeReview,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        proposal = find_proposal(request, public_id, needs=REVIEW)
        asked = MakeReview(data=request.data)
        asked.is_valid(raise_exception=True)
        verdict, note, seen = (asked.validated_data[name] for name in ("verdict", "note", "digest"))
        reviews.review(proposal, Verdict(verdict), note=note, by=person(request), seen=seen)
        return Response(_out(proposal))


class RenewProposal(APIView):
    @operation(
        "renew_proposal",
        "Take up the new scores of a stale proposal",
        about="Freeze the scores as they are now; earlier verdicts no longer count. Codes of 409: not_stale, closed.",
        answer=ProposalOut,
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        proposal = find_proposal(request, public_id, needs=reviews.PROPOSE)
        NoInput(data=request.data).is_valid(raise_exception=True)
        reviews.renew(proposal, by=person(request))
        return Response(_out(proposal))


class WithdrawProposal(APIView):
    @operation(
        "withdraw_proposal",
        "Withdraw a proposal",
        about="Close a proposal without promoting anything; those of others only a maintainer withdraws. Code of 409: closed.",
        answer=ProposalOut,
        body=NoInput,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        proposal = find_proposal(request, public_id, needs=reviews.PROPOSE)
        NoInput(data=request.data).is_valid(raise_exception=True)
        reviews.withdraw(proposal, by=person(request))
        return Response(_out(proposal))


class PromoteProposal(APIView):
    @operation(
        "promote_proposal",
        "Promote a checkpoint: give it an alias",
        about="Give an approved checkpoint an alias. Codes of 409: policy_unmet, stale, closed.",
        answer=AliasOut,
        body=Promote,
        problems=(404, 409),
    )
    def post(self, request: Request, public_id: str) -> Response:
        proposal = find_proposal(request, public_id, needs=reviews.PROMOTE)
        asked = Promote(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(AliasOut(reviews.promote(proposal, asked.validated_data["alias"], by=person(request))).data)


class Aliases(APIView):
    @operation("list_aliases", "List a project's aliases", answer=page_of(AliasOut), problems=(404,))
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(person(request), slug)
        rows = Alias.objects.filter(project=project).select_related("checkpoint", "proposal", "moved_by")
        return whole(rows, AliasOut)


class Audit(APIView):
    @operation(
        "list_audit",
        "List a project's audit log, newest first",
        answer=page_of(AuditOut),
        parameters=[Paging],
        problems=(404, 422),
    )
    def get(self, request: Request, slug: str) -> Response:
        entries = AuditEntry.objects.filter(project=project_for(person(request), slug)).select_related("actor")
        return paged(request, entries, AuditOut, key="pk", order="-pk")


def _checkpoint(project: Project, public_id: str) -> Checkpoint:
    rows = Checkpoint.objects.select_related("run__project", "stage").filter(run__project=project)
    checkpoint = rows.filter(public_id=public_id).first()
    if checkpoint is None:
        words = f"found '{public_id}', expected the id of a checkpoint of {project.name}; list a run's checkpoints"
        raise ValidationError({"checkpoint": ErrorDetail(words, "does_not_exist")})
    return checkpoint


def _out(proposal: Proposal) -> dict[str, Any]:
    return dict(ProposalOut(standing_of(proposal)).data)

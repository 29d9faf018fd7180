"""The model card of a proposed checkpoint: the scores that were frozen, and who decided what on them."""

from collections.abc import Iterator
from typing import Any

from runs.models import Review
from runs.standings import Standing
from runs.templatetags.humane import exact
from workers.model_card import CardScore, base_card, model_card
from workers.spec import RecipeSpec, ResolvedStageSpec


def sign_off_card(standing: Standing) -> str:
    """Write the card as Markdown, as the proposal stands now."""
    proposal, checkpoint = standing.proposal, standing.proposal.checkpoint
    run, lines = checkpoint.run, list(_decisions(standing))
    scores = [_on_card(score) for score in proposal.frozen["scores"]]
    if checkpoint.stage is None:
        recipe = RecipeSpec.model_validate(run.document)
        return base_card(recipe.model, run=run.public_id, seed=recipe.seed, scores=scores, sign_off=lines)
    spec = ResolvedStageSpec.model_validate(checkpoint.stage.resolved)
    step = None if checkpoint.at_step == checkpoint.stage.n_steps else checkpoint.at_step
    return model_card(spec, scores=scores, step=step, sign_off=lines)


def _on_card(score: dict[str, Any]) -> CardScore:
    """Read one of the scores that were frozen."""
    return CardScore(
        domain=score["domain"],
        split=score["split"],
        version=score["version"],
        protocol=score["protocol"],
        mean=score["mean"],
        n_items=len(score["items"]),
        samples=score.get("samples", 1),
    )


def _decisions(standing: Standing) -> Iterator[str]:
    """Say who decided what when. People's notes stay on the proposal's page: they were not written to be published."""
    proposal = standing.proposal
    yield f"Checkpoint `{proposal.checkpoint.public_id}`, proposal `{proposal.public_id}`"
    yield f"Scores: sha256 `{proposal.digest}`, frozen {exact(proposal.frozen_at)}"
    yield f"Proposed by {proposal.proposer}, {exact(proposal.created_at)}"
    for review in _last_verdicts(standing):
        yield f"{review.get_verdict_display().capitalize()} by {review.reviewer}, {exact(review.created_at)}"
    if standing.state == "promoted":
        yield f"Promoted {exact(proposal.promoted_at)}"
    else:
        yield f"Not promoted: {standing.state}"
    for alias in proposal.aliases.select_related("moved_by"):
        yield f"Alias `{alias}`, given by {alias.moved_by}, {exact(alias.moved_at)}"
    for change in standing.changes:
        yield f"Changed since: {change}"


def _last_verdicts(standing: Standing) -> list[Review]:
    """Each person's last verdict on these scores, also of those who have left the project since."""
    on_these = [review for review in standing.history if review.digest == standing.proposal.digest]
    return list({review.reviewer_id: review for review in on_these}.values())

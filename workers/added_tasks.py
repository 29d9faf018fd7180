"""The Celery task of benchmarks that were added to a run: a scoring of one checkpoint on one of them."""

from celery import shared_task

from runs import ingest, lifecycle, resolve
from runs.models import AddedScoring
from workers import launch
from workers.tasks import ResultsMissingError, carry_out, worker_name


@shared_task(name="workers.score_added")
def score_added(scoring_id: int) -> None:
    """Score a checkpoint on an added benchmark, if the scoring can be claimed."""
    claim = lifecycle.claim_added_scoring(scoring_id, worker=worker_name())
    if claim is None:
        return
    added = claim.work
    assert isinstance(added, AddedScoring)

    def succeed() -> None:
        if not ingest.ingest_added(added):
            raise ResultsMissingError(f"found no whole score of {added.benchmark} in scores.jsonl")
        ingest.write_card(added.checkpoint)
        lifecycle.finish_scoring(claim)

    carry_out(
        claim,
        ingest.added_folder(added),
        module=launch.SCORE,
        prepare=lambda: resolve.write_added_spec(added),
        look=dict,
        succeed=succeed,
    )

"""Scorings of added benchmarks through the Celery task: once, again where they failed, and never in the run's way."""

import pytest

from runs import added, ingest, lifecycle, ready
from runs.models import AddedBenchmark, AddedScoring, Run, Score, Status
from tests.web.some_runs import finish
from workers import added_tasks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_programs")]
TOOLS = {"domain": "tools", "n_problems": 16, "n_validation": 8}


@pytest.fixture
def run(run: Run) -> Run:
    finish(run, "warm", "if_rl")
    return run


def ask(run: Run, *rows: str) -> AddedBenchmark:
    return added.add_benchmark(Run.objects.get(pk=run.pk), TOOLS, rows=rows or None, by=run.created_by)


def carry_out(run: Run) -> None:
    for scoring in run.added_scorings.all():
        added_tasks.score_added(scoring.pk)


def test_each_checkpoint_is_scored_once(run: Run) -> None:
    ask(run)
    carry_out(run)
    carry_out(run)  # sent twice
    found = Score.objects.filter(checkpoint__run=run, benchmark__domain="tools", benchmark__split="test")
    assert {str(score.checkpoint) for score in found} == {"base at step 0", "warm at step 6", "if_rl at step 6"}
    assert set(run.added_scorings.values_list("status", "attempt")) == {(Status.SUCCEEDED, 1)}
    card = ingest.checkpoint_folder(run.checkpoints.get(stage__name="if_rl")) / "README.md"
    assert "| Tool calling |" in card.read_text()


def test_a_failure_has_its_reason_and_asking_again_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(run, "warm")
    monkeypatch.setenv("FAKE_FAULT", "score:bad_task")
    carry_out(run)
    scoring = AddedScoring.objects.get()
    assert (scoring.status, scoring.failure_code) == (Status.FAILED, "bad_task")
    assert not Score.objects.filter(benchmark__domain="tools").exists()
    monkeypatch.delenv("FAKE_FAULT")
    ask(run, "warm")
    carry_out(run)
    scoring.refresh_from_db()
    assert (scoring.status, scoring.failure_reason, scoring.attempt) == (Status.SUCCEEDED, "", 2)


def test_a_lost_nudge_is_sent_again_and_a_lost_worker_is_replaced(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(run, "warm")
    nudged: list[tuple[str, int]] = []
    monkeypatch.setattr(ready, "nudge", lambda task, pk, queue: nudged.append((task, pk)))
    scoring = AddedScoring.objects.get()
    ready.tend_all()
    assert ("workers.score_added", scoring.pk) in nudged
    claim = lifecycle.claim_added_scoring(scoring.pk, worker="lost:1")
    assert claim is not None
    assert lifecycle.claim_added_scoring(scoring.pk, worker="other:1") is None
    AddedScoring.objects.update(lease_until=scoring.queued_at)
    added_tasks.score_added(scoring.pk)
    scoring.refresh_from_db()
    assert (scoring.status, scoring.attempt) == (Status.SUCCEEDED, 2)
    assert not lifecycle.beat(claim)


def test_pause_and_cancel_of_the_run_leave_it_alone(run: Run) -> None:
    lifecycle.cancel(run)
    ask(run, "if_rl")
    carry_out(run)
    assert AddedScoring.objects.get().status == Status.SUCCEEDED


def test_what_needs_weights_that_are_made_anew_waits(run: Run) -> None:
    ask(run, "if_rl")
    run.stages.filter(name="if_rl").update(status=Status.QUEUED)
    assert not ready.added_scorings().exists()
    with pytest.raises(ValueError, match="found row 'if_rl', expected a checkpoint with weights: base, warm"):
        ask(run, "if_rl")


def test_a_checkpoint_that_cannot_be_read_is_made_anew(run: Run) -> None:
    ask(run, "if_rl")
    claim = lifecycle.claim_added_scoring(AddedScoring.objects.get().pk, worker="host:1")
    assert claim is not None
    lifecycle.fail(claim, code="corrupt_checkpoint", reason="damaged")
    ask(run, "if_rl")
    assert run.stages.get(name="if_rl").status == Status.QUEUED

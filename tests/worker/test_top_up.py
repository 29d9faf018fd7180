"""Top-ups through the Celery task, with processes that write what a scorer writes: no answer is lost, none counts twice."""

import time

import pytest

from runs import ingest, ready, reviews, top_ups
from runs.lifecycle import NotPossibleError
from runs.models import ItemResult, Run, Score, Status, TopUp
from runs.standings import standing_of
from tests.web.some_runs import finish
from workers import tasks
from workers.stage_dir import ScoreRecord, read_records

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_programs")]
PAIR = {"domain": "instructions", "before": "warm", "after": "if_rl"}


@pytest.fixture
def run(run: Run) -> Run:
    finish(run, "warm", "if_rl")
    return run


def ask(run: Run) -> list[TopUp]:
    return top_ups.top_up(run, **PAIR, by=run.created_by)


def score(run: Run, row: str = "if_rl") -> Score:
    return Score.objects.get(
        checkpoint__run=run, checkpoint__stage__name=row, benchmark__domain="instructions", benchmark__split="test"
    )


def answers(run: Run, row: str = "if_rl") -> list[list[float]]:
    return [item.grades for item in ItemResult.objects.filter(score=score(run, row)).order_by("item")]


def test_both_checkpoints_get_the_answers_that_were_asked_for(run: Run) -> None:
    first, others = answers(run), {s.pk for s in Score.objects.exclude(benchmark__domain="instructions")}
    proposal = reviews.propose(run.checkpoints.get(stage__name="if_rl"), note="look", by=run.created_by)
    asked = ask(run)
    assert {(str(row.checkpoint), row.samples) for row in asked} == {("warm at step 6", 4), ("if_rl at step 6", 4)}
    for row in asked:
        tasks.top_up(row.pk)
    assert set(run.top_ups.values_list("status", flat=True)) == {Status.SUCCEEDED}
    for name in ("warm", "if_rl"):
        found = score(run, name)
        items = list(found.items.all())
        assert (found.samples, found.n_items) == (4, 16)
        assert all(len(item.grades) == 4 and item.value == sum(item.grades) / 4 for item in items)
        assert found.mean == pytest.approx(sum(item.value for item in items) / 16)
    assert [grades[:1] for grades in answers(run)] == first  # the first answers stay
    assert {
        s.pk for s in Score.objects.exclude(benchmark__domain="instructions")
    } == others  # other scores stay as they are
    card = ingest.checkpoint_folder(run.checkpoints.get(stage__name="if_rl")) / "README.md"
    assert "avg@4" in card.read_text()
    (change,) = standing_of(proposal).changes
    assert ": 4 answers to each problem, before 1, " in change


def test_a_task_sent_twice_and_a_second_click_change_nothing(run: Run) -> None:
    asked = ask(run)
    with pytest.raises(NotPossibleError, match="being topped up already"):
        ask(run)
    for row in (*asked, *asked):
        tasks.top_up(row.pk)
    assert score(run).samples == 4
    assert {len(grades) for grades in answers(run)} == {4}


def test_a_killed_process_goes_on_and_ends_the_same(run: Run, monkeypatch) -> None:
    (row,) = (asked for asked in ask(run) if asked.checkpoint.stage and asked.checkpoint.stage.name == "if_rl")
    monkeypatch.setenv("FAKE_FAULT", "2:kill")
    tasks.top_up(row.pk)
    row.refresh_from_db()
    assert (row.status, row.kills) == (Status.QUEUED, 1)
    assert score(run).samples == 1  # nothing half done is shown
    tasks.top_up(row.pk)
    row.refresh_from_db()
    assert (row.status, row.attempt) == (Status.SUCCEEDED, 2)
    records, _ = read_records(ingest.top_up_folder(row).scores, ScoreRecord)
    assert [record.after for record in records] == [1, 2, 3]
    assert {len(grades) for grades in answers(run)} == {4}


def test_a_worker_that_lost_its_claim_stops_and_the_next_goes_on(run: Run, background, monkeypatch) -> None:
    row = ask(run)[0]
    monkeypatch.setenv("FAKE_SCORE_S", "0.3")
    thread = background(lambda: tasks.top_up(row.pk))
    deadline = time.monotonic() + 60
    while not read_records(ingest.top_up_folder(row).scores, ScoreRecord)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # as a second claim does, whose worker is lost at once
    TopUp.objects.filter(pk=row.pk).update(attempt=2, worker="other:9", lease_until=row.queued_at)
    thread.join()
    row.refresh_from_db()
    assert (row.status, row.attempt, score(run, "warm").samples) == (Status.RUNNING, 2, 1)
    monkeypatch.setenv("FAKE_SCORE_S", "0")
    tasks.top_up(row.pk)
    row.refresh_from_db()
    assert (row.status, row.attempt) == (Status.SUCCEEDED, 3)
    assert [r.after for r in read_records(ingest.top_up_folder(row).scores, ScoreRecord)[0]] == [1, 2, 3]


def test_a_failure_has_its_reason_and_asking_again_goes_on(run: Run, monkeypatch) -> None:
    row = ask(run)[0]
    monkeypatch.setenv("FAKE_FAULT", "2:out_of_memory")
    tasks.top_up(row.pk)
    row.refresh_from_db()
    assert (row.status, row.failure_code) == (Status.FAILED, "out_of_memory")
    assert [again.pk for again in ask(run)] == [row.pk]
    monkeypatch.delenv("FAKE_FAULT")
    tasks.top_up(row.pk)
    row.refresh_from_db()
    assert (row.status, row.failure_reason) == (Status.SUCCEEDED, "")


def test_scoring_again_keeps_the_answers_of_a_top_up(run: Run) -> None:
    for row in ask(run):
        tasks.top_up(row.pk)
    before = answers(run)
    ingest.ingest_scores(run.checkpoints.get(stage__name="if_rl"))
    assert answers(run) == before
    assert score(run).samples == 4


def test_the_beat_finds_a_top_up_whose_nudge_was_lost(run: Run, monkeypatch) -> None:
    asked, nudged = ask(run), []
    monkeypatch.setattr(ready, "nudge", lambda task, pk, run: nudged.append((task, pk)))
    ready.tend_all()
    assert {(task, pk) for task, pk in nudged if task == "workers.top_up"} == {("workers.top_up", a.pk) for a in asked}


def test_a_folder_that_is_gone_fails_in_words(run: Run) -> None:
    row = ask(run)[0]
    ingest.scoring_folder(row.checkpoint).scores.unlink()
    tasks.top_up(row.pk)
    row.refresh_from_db()
    assert row.failure_code == "cannot_start"
    assert "found no score of instructions" in row.failure_reason

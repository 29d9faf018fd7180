"""Who may work on what, and when."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from runs import lifecycle, ready, statuses
from runs.lifecycle import NotPossibleError
from runs.models import Checkpoint, Run, Stage, Status
from tests.web.some_runs import a_project, a_recipe, a_run, begin, claim, finish, score_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return a_run(a_project())


def _stage(run: Run, name: str) -> Stage:
    return run.stages.get(name=name)


def _ready(run: Run) -> list[str]:
    return [stage.name for stage in ready.stages().filter(run=run)]


def _lose_lease(stage: Stage) -> None:
    Stage.objects.filter(pk=stage.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_of_two_claims_at_once_one_wins(run: Run) -> None:
    pk, start, won = _stage(run, "warm").pk, threading.Barrier(8), []

    def race(number: int) -> None:
        try:
            start.wait(timeout=10)
            if lifecycle.claim_stage(pk, worker=f"host:{number}"):
                won.append(number)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert _stage(run, "warm").worker == f"host:{won[0]}"
    assert _stage(run, "warm").attempts.count() == 1


def test_a_lease_that_ran_out_may_be_claimed_again(run: Run) -> None:
    first = begin(run, "warm")
    assert lifecycle.claim_stage(first.work.pk, worker="host:2") is None
    _lose_lease(_stage(run, "warm"))
    assert run.status == Status.STALE
    second = lifecycle.claim_stage(first.work.pk, worker="host:2")
    assert second is not None
    assert second.attempt == 2


@pytest.mark.parametrize(
    "late",
    [
        lambda claim: lifecycle.beat(claim, step=6),
        lambda claim: lifecycle.finish_stage(claim, folder="warm/checkpoints/step_000006"),
        lambda claim: lifecycle.fail(claim, code="error", reason="late"),
        lifecycle.release,
        lambda claim: lifecycle.restart_or_fail(claim, reason="late"),
    ],
    ids=["beat", "finish", "fail", "release", "restart"],
)
def test_a_late_writer_changes_nothing(run: Run, late: Callable[[lifecycle.Claim], bool | None]) -> None:
    first = begin(run, "warm", step=2)
    _lose_lease(_stage(run, "warm"))
    claim(_stage(run, "warm"), worker="host:2")
    before = Stage.objects.filter(pk=first.work.pk).values().get()
    assert not late(first)
    assert Stage.objects.filter(pk=first.work.pk).values().get() == before
    assert not run.checkpoints.exists()


def test_a_stage_is_ready_when_what_it_starts_from_is_there(run: Run) -> None:
    assert _ready(run) == ["warm"]
    finish(run, "warm")
    assert _ready(run) == ["if_rl"]


def test_a_stage_that_chooses_teachers_waits_for_every_score(run: Run) -> None:
    finish(run, "warm")
    lifecycle.finish_stage(begin(run, "if_rl", step=6), folder="if_rl/checkpoints/step_000006")
    assert _ready(run) == []
    scoring = lifecycle.claim_checkpoint(run.checkpoints.get(stage__name="if_rl").pk, worker="host:1")
    assert scoring is not None
    assert _ready(run) == []
    lifecycle.finish_scoring(scoring)
    assert _ready(run) == ["mopd"]


def test_named_teachers_need_weights_but_no_scores() -> None:
    stages = a_recipe().model_dump(mode="json")["stages"]
    stages[2]["teachers"] = {"instructions": "if_rl", "stem": "warm"}
    run = a_run(a_project(), spec=a_recipe(stages=stages))
    for name in ("warm", "if_rl"):
        lifecycle.finish_stage(begin(run, name, step=6), folder=f"{name}/checkpoints/step_000006")
    assert _ready(run) == ["mopd"]


def test_branches_that_start_from_the_same_stage_are_ready_together() -> None:
    stages = a_recipe().model_dump(mode="json")["stages"]
    branch = {**stages[1], "name": "other_rl", "starts_from": "warm"}
    run = a_run(a_project(), spec=a_recipe(stages=[*stages[:2], branch, stages[2]]))
    finish(run, "warm")
    assert _ready(run) == ["if_rl", "other_rl"]


def test_pause_holds_everything_that_is_open_and_resume_lets_it_go_on(run: Run) -> None:
    finish(run, "warm")
    held = begin(run, "if_rl")
    lifecycle.pause(run)
    assert [stage.status for stage in run.stages.all()] == [Status.SUCCEEDED, Status.PAUSED, Status.PAUSED]
    assert not lifecycle.beat(held)
    lifecycle.release(held)
    assert run.status == Status.PAUSED
    lifecycle.resume(run)
    assert _ready(run) == ["if_rl"]


def test_cancel_stays_until_somebody_retries(run: Run) -> None:
    finish(run, "warm")
    held = begin(run, "if_rl")
    lifecycle.cancel(run)
    assert not lifecycle.finish_stage(held, folder="if_rl/checkpoints/step_000006")
    assert run.status == Status.CANCELLED
    assert run.checkpoints.count() == 2
    lifecycle.retry(run)
    assert _ready(run) == ["if_rl"]


def test_retry_forgets_the_failure_and_its_kills(run: Run) -> None:
    lifecycle.restart_or_fail(begin(run, "warm"), reason="killed by signal 9")
    lifecycle.fail(claim(_stage(run, "warm")), code="error", reason="it broke")
    assert (_stage(run, "warm").kills, run.status) == (1, Status.FAILED)
    lifecycle.retry_stage(_stage(run, "warm"))
    stage = _stage(run, "warm")
    assert (stage.status, stage.kills, stage.failure_reason, stage.finished_at) == (Status.QUEUED, 0, "", None)


def test_what_does_not_fit_the_status_is_refused_in_words(run: Run) -> None:
    finish(run, "warm", "if_rl", "mopd")
    for act in (lifecycle.pause, lifecycle.resume, lifecycle.cancel, lifecycle.retry):
        with pytest.raises(NotPossibleError, match="reload the page to see what is possible"):
            act(run)
    with pytest.raises(NotPossibleError, match="stage 'warm' is succeeded, only a failed or cancelled one"):
        lifecycle.retry_stage(_stage(run, "warm"))
    assert statuses.possible_actions(run) == []


def test_the_beat_finds_whatever_was_lost(run: Run, monkeypatch) -> None:
    nudged: list[tuple[str, int]] = []
    monkeypatch.setattr(ready, "nudge", lambda task, pk, queue: nudged.append((task, pk)))
    ready.tend_all()
    assert nudged == [("workers.train_stage", _stage(run, "warm").pk)]
    begin(run, "warm")
    nudged.clear()
    ready.tend_all()
    assert nudged == []
    _lose_lease(_stage(run, "warm"))
    ready.tend_all()
    assert nudged == [("workers.train_stage", _stage(run, "warm").pk)]


def test_every_checkpoint_is_scored_once(run: Run) -> None:
    lifecycle.add_base_checkpoint(run, folder="warm/checkpoints/step_000000")
    lifecycle.add_base_checkpoint(run, folder="warm/checkpoints/step_000000")
    base = Checkpoint.objects.get(run=run)
    scoring = lifecycle.claim_checkpoint(base.pk, worker="host:1")
    assert scoring is not None
    assert lifecycle.claim_checkpoint(base.pk, worker="host:2") is None
    assert lifecycle.finish_scoring(scoring)
    assert not ready.checkpoints().filter(run=run).exists()
    score_all(run)


def test_run_numbers_have_no_gaps_within_a_project(run: Run) -> None:
    other = a_run(a_project("Other", owner="eve"))
    assert [a_run(run.project).number, a_run(run.project).number, other.number] == [2, 3, 1]

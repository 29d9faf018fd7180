"""People and workers at the same moment, against a real PostgreSQL: one of them wins, and the rows agree with each other."""

import threading
from collections.abc import Callable
from itertools import combinations_with_replacement

import pytest
from django.db import connections

from runs import lifecycle, ready, statuses
from runs.lifecycle import NotPossibleError
from runs.models import Checkpoint, Run, Stage, Status
from runs.models.claim import STORED
from runs.pages.run_words import progress, verdict
from runs.statuses import with_status
from tests.web.some_runs import a_project, a_run, begin, claim, finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return a_run(a_project())


def _at_once(*acts: Callable[[], object]) -> list[object]:
    """Do all of these in threads of their own, begun together; returns what each answered or raised."""
    start, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def whole(place: int, act: Callable[[], object]) -> None:
        try:
            start.wait(timeout=10)
            answers[place] = act()
        except NotPossibleError as error:
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=whole, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    return answers


def _fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


@pytest.mark.django_db(transaction=True)
def test_two_people_cancel_and_one_of_them_did(run: Run) -> None:
    begin(run, "warm")
    answers = _at_once(*[lambda: lifecycle.cancel(_fresh(run))] * 4)
    assert answers.count(None) == 1
    assert _fresh(run).status == Status.CANCELLED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(5))
def test_pause_and_cancel_at_once_end_cancelled_or_paused_never_half(run: Run, _again: int) -> None:
    begin(run, "warm")
    _at_once(lambda: lifecycle.pause(_fresh(run)), lambda: lifecycle.cancel(_fresh(run)))
    assert {stage.status for stage in run.stages.all()} == {Status.CANCELLED}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(5))
def test_cancel_at_the_moment_a_stage_finishes(run: Run, _again: int) -> None:
    """Either the stage is done and its checkpoint is cancelled, or it is cancelled and left none."""
    held = begin(run, "warm", step=6)
    lifecycle_end = lambda: lifecycle.finish_stage(held, folder="warm/checkpoints/step_000006")  # noqa: E731
    finished, _ = _at_once(lifecycle_end, lambda: lifecycle.cancel(_fresh(run)))
    stage, made = run.stages.get(name="warm"), Checkpoint.objects.filter(run=run, stage__name="warm")
    assert stage.status == (Status.SUCCEEDED if finished else Status.CANCELLED)
    assert [checkpoint.status for checkpoint in made] == ([Status.CANCELLED] if finished else [])
    assert not ready.stages().filter(run=run).exists()
    assert _fresh(run).status == Status.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_the_old_worker_beats_while_the_new_one_claims(run: Run) -> None:
    held = begin(run, "warm")
    Stage.objects.filter(pk=held.work.pk).update(lease_until="2020-01-01T00:00Z")
    beats = [lambda: lifecycle.beat(held, step=4)] * 3
    claims = [lambda: lifecycle.claim_stage(held.work.pk, worker="host:2")] * 3
    answers = _at_once(*beats, *claims)
    n_won = sum(answer is not None for answer in answers[3:])
    assert n_won <= 1
    assert lifecycle.beat(held) is (n_won == 0)  # exactly one of them holds it


@pytest.mark.parametrize(("act", "then"), [(lifecycle.pause, Status.PAUSED), (lifecycle.cancel, Status.CANCELLED)])
def test_a_base_noticed_after_a_pause_or_cancel_is_not_scored_meanwhile(run: Run, act, then: Status) -> None:
    """The worker looks at the folder once more after it has stopped the trainer."""
    begin(run, "warm")
    act(run)
    lifecycle.add_base_checkpoint(run, folder="warm/checkpoints/step_000000")
    assert run.checkpoints.get().status == then
    assert not ready.checkpoints().filter(run=run).exists()
    assert _fresh(run).status == then
    (lifecycle.resume if act is lifecycle.pause else lifecycle.retry)(run)
    assert ready.checkpoints().filter(run=run).exists()


def test_a_stage_of_a_cancelled_run_that_is_retried_shows_that_it_runs(run: Run) -> None:
    begin(run, "warm")
    lifecycle.cancel(run)
    lifecycle.retry_stage(run.stages.get(name="warm"))
    held = claim(run.stages.get(name="warm"))
    assert _fresh(run).status == Status.RUNNING
    lifecycle.finish_stage(held, folder="warm/checkpoints/step_000006")
    assert {"retry", "cancel"} <= set(statuses.possible_actions(_fresh(run)))


def test_a_failed_scoring_that_holds_up_mopd_says_so_and_retry_is_the_way_out(run: Run) -> None:
    finish(run, "warm")
    lifecycle.finish_stage(begin(run, "if_rl", step=6), folder="if_rl/checkpoints/step_000006")
    scoring = lifecycle.claim_checkpoint(run.checkpoints.get(stage__name="if_rl").pk, worker="host:1")
    assert scoring is not None
    lifecycle.fail(scoring, code="error", reason="the scorer broke; see the log")
    now = _fresh(run)
    assert now.status == Status.FAILED
    assert not ready.stages().filter(run=run).exists()
    assert verdict(now, {}) == "Scoring if_rl failed: the scorer broke."
    assert "retry" in statuses.possible_actions(now)
    lifecycle.retry(now)
    assert [checkpoint.stage.name for checkpoint in ready.checkpoints().filter(run=run)] == ["if_rl"]
    assert _fresh(run).status == Status.RUNNING


def test_retrying_one_stage_leaves_a_running_one_alone(run: Run) -> None:
    finish(run, "warm")
    held = begin(run, "if_rl")
    Stage.objects.filter(run=run, name="mopd").update(status=Status.FAILED, failure_code="error")
    lifecycle.retry(run)
    assert lifecycle.beat(held)
    assert run.stages.get(name="mopd").status == Status.QUEUED


ALL = [
    (*stages, scoring, is_silent)
    for stages in combinations_with_replacement(STORED, 2)
    for scoring in STORED
    for is_silent in ((False, True) if Status.RUNNING in (*stages, scoring) else (False,))
]


def test_a_runs_status_and_words_in_every_combination(run: Run) -> None:
    """Python's and SQL's word agree; whatever runs is called running; and there is always a sentence for it."""
    finish(run, "warm")
    stages, base = list(run.stages.all()), run.checkpoints.get(stage=None)
    run.checkpoints.exclude(pk=base.pk).delete()
    for first, second, scoring, is_silent in ALL:
        lease = "2020-01-01T00:00Z" if is_silent else None
        Stage.objects.filter(run=run).update(status=first, lease_until=lease)
        Stage.objects.filter(pk=stages[-1].pk).update(status=second)
        Checkpoint.objects.filter(pk=base.pk).update(status=scoring, lease_until=lease)
        now = Run.objects.prefetch_related("stages", "checkpoints").get(pk=run.pk)
        words = f"{first}, {second}, scoring {scoring}, silent {is_silent}"
        assert with_status(Run.objects.all(), now.status).exists(), words  # SQL gives each run one word
        if Status.RUNNING in (first, second, scoring) and not is_silent:
            assert now.status == Status.RUNNING, words
        assert verdict(now, {}).endswith("."), words
        assert progress(now), words
        if Status.FAILED in (first, second):
            assert "waits for a worker" not in verdict(now, {}), words
        assert (now.status == Status.SUCCEEDED) == (not statuses.possible_actions(now)), words


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_again", range(3))
def test_of_many_workers_one_scores_a_checkpoint(run: Run, _again: int) -> None:
    finish(run, "warm")
    Checkpoint.objects.filter(run=run).update(status=Status.QUEUED)
    pk = run.checkpoints.get(stage=None).pk
    answers = _at_once(*[lambda: lifecycle.claim_checkpoint(pk, worker="host:2")] * 4)
    assert sum(answer is not None for answer in answers) == 1

"""A held run: what runs finishes and is scored, nothing queued is claimed, and who held it and why is kept."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from runs import holds, lifecycle, ready
from runs.access import RoleTooLowError
from runs.lifecycle import NotPossibleError
from runs.models import AuditEntry, Role, Run, Stage, Status
from runs.statuses import with_status
from tests.web.some_runs import a_member, a_project, a_run, begin, claim, finish, score_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    return a_run(a_project())


@pytest.fixture
def ada(run: Run) -> User:
    return run.created_by


@pytest.fixture
def grace(run: Run) -> User:
    return a_member(run.project, "grace", Role.REVIEWER)


def _fresh(run: Run) -> Run:
    found = Run.objects.get(pk=run.pk)
    assert with_status(Run.objects.all(), found.status).get() == found  # lists say what the page says
    return found


def test_what_runs_finishes_and_is_scored_and_nothing_further_starts(run: Run, grace: User) -> None:
    finish(run, "warm")
    running = begin(run, "if_rl")
    holds.hold(run, reason="code fell", by=grace)
    assert lifecycle.beat(running)  # a pause would have stopped it here
    assert _fresh(run).status == Status.RUNNING
    assert lifecycle.finish_stage(running, folder="if_rl/checkpoints/step_000006")
    assert _fresh(run).status == Status.AWAITING_REVIEW
    assert ready.checkpoints().filter(run=run).exists()
    mopd = run.stages.get(name="mopd")
    assert lifecycle.claim_stage(mopd.pk, worker="host:1") is None
    holds.release(run, by=grace)
    assert _fresh(run).status == Status.RUNNING


def test_a_held_stage_is_claimed_once_it_is_released(run: Run, grace: User) -> None:
    holds.hold(run, reason="wait", by=grace)
    warm = run.stages.get(name="warm")
    assert lifecycle.claim_stage(warm.pk, worker="host:1") is None
    assert not ready.stages().filter(run=run).exists()
    holds.release(run, by=grace)
    assert claim(warm).attempt == 1


def test_other_runs_go_on(run: Run, grace: User) -> None:
    other = a_run(run.project)
    holds.hold(run, reason="wait", by=grace)
    assert ready.stages().get().run == other


def test_a_stage_whose_worker_is_lost_is_taken_over(run: Run, grace: User) -> None:
    begin(run, "warm")
    holds.hold(run, reason="wait", by=grace)
    Stage.objects.filter(run=run, name="warm").update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim(run.stages.get(name="warm")).attempt == 2


def test_release_nudges_workers(run: Run, grace: User, monkeypatch: pytest.MonkeyPatch) -> None:
    nudged: list[str] = []
    monkeypatch.setattr(ready, "nudge", lambda task, pk, queue: nudged.append(task))
    holds.hold(run, reason="wait", by=grace)
    ready.tend_all()
    assert nudged == []
    holds.release(run, by=grace)
    assert nudged == ["workers.train_stage"]


def test_who_held_it_and_maintainers_release_it(run: Run, ada: User, grace: User) -> None:
    alan = a_member(run.project, "alan", Role.RUNNER)
    holds.hold(run, reason="wait", by=grace)
    with pytest.raises(RoleTooLowError):
        holds.release(run, by=alan)
    holds.release(run, by=ada)
    entries = AuditEntry.objects.order_by("pk")
    assert [(entry.actor, entry.action) for entry in entries] == [(grace, "run.held"), (ada, "run.released")]
    assert entries[0].after == {"reason": "wait"}
    assert entries[1].before == {"held by": "grace", "reason": "wait"}


def test_what_does_not_fit_is_refused_in_words(run: Run, ada: User) -> None:
    with pytest.raises(NotPossibleError, match="is not held"):
        holds.release(run, by=ada)
    holds.hold(run, reason="wait", by=ada)
    with pytest.raises(NotPossibleError, match="is held already, by ada: wait") as found:
        holds.hold(run, reason="me too", by=ada)
    assert found.value.code == "already_held"
    holds.release(run, by=ada)
    finish(run, "warm", "if_rl", "mopd")
    score_all(run)
    with pytest.raises(NotPossibleError, match="there is nothing to hold back"):
        holds.hold(Run.objects.get(pk=run.pk), reason="late", by=ada)


def test_a_held_run_can_be_paused_cancelled_and_retried(run: Run, ada: User) -> None:
    holds.hold(run, reason="wait", by=ada)
    lifecycle.pause(run)
    assert _fresh(run).status == Status.PAUSED
    lifecycle.resume(run)
    assert not ready.stages().exists()
    lifecycle.cancel(run)
    assert _fresh(run).status == Status.CANCELLED
    lifecycle.retry(run)
    assert _fresh(run).status == Status.AWAITING_REVIEW

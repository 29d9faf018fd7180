"""Gates: checked once per checkpoint when the scores are in; what comes after a gate that may hold waits for it."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections

from runs import gates, holds, ingest, lifecycle, ready, resolve
from runs.access import RoleTooLowError
from runs.lifecycle import NotPossibleError
from runs.models import AuditEntry, Checkpoint, GateCheck, ItemResult, Notice, NoticeKind, Role, Run, Stage, Status
from tests.web.some_runs import DOMAINS, a_member, a_project, a_recipe, a_run, claim, finish, score_all
from tests.worker import fake_trainer

pytestmark = pytest.mark.django_db
HOLD = {"after": "if_rl", "domain": "stem", "drop": 5.0, "then": "hold"}


def a_gated_run(*gates: dict[str, Any]) -> Run:
    """A run of 64 problems a benchmark, so that the fake trainer's scores can differ by more than noise."""
    benchmarks = [{"domain": name, "n_problems": 64, "n_validation": 8} for name in DOMAINS]
    run = a_run(a_project(), spec=a_recipe(gates=list(gates), benchmarks=benchmarks))
    finish(run, "warm")
    ItemResult.objects.filter(score__checkpoint__run=run).update(value=1.0)
    return run


def _fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def _train(run: Run, name: str) -> None:
    """Train a stage and leave its checkpoint to be scored."""
    stage = claim(run.stages.get(name=name)).work
    assert isinstance(stage, Stage)
    resolve.write_stage_spec(stage)
    fake_trainer.work(ingest.stage_folder(stage))
    assert lifecycle.finish_stage(lifecycle.Claim(stage, stage.attempt), folder=f"{name}/checkpoints/step_000006")


@pytest.fixture
def held() -> Run:
    """A run whose gate holds it before its last stage; grace may review it."""
    run = a_gated_run(HOLD)
    a_member(run.project, "grace", Role.REVIEWER)
    finish(run, "if_rl")
    return _fresh(run)


def test_a_gate_holds_and_a_reviewer_lets_the_run_go_on(held: Run) -> None:
    grace = User.objects.get(username="grace")
    assert held.status == Status.AWAITING_REVIEW
    assert held.held_by is None
    assert held.hold_reason.startswith(
        "gate 1 (after if_rl, STEM may not lose more than 5 points by more than noise since"
    )
    assert ": after if_rl, STEM changed by −" in held.hold_reason
    assert not ready.stages().exists()
    check = GateCheck.objects.get()
    assert (check.outcome, check.approved_at) == ("held", None)
    assert check.changes[0]["is_lost"]
    assert Notice.objects.get(recipient=grace).kind == NoticeKind.GATE_HOLD
    holds.release(held, by=grace)
    check.refresh_from_db()
    assert check.approved_by == grace
    assert claim(held.stages.get(name="mopd"))
    entries = AuditEntry.objects.order_by("pk")
    assert [(entry.actor, entry.action) for entry in entries] == [(None, "run.held"), (grace, "gate.approved")]
    assert entries[0].after == {"reason": check.words}
    assert entries[1].before == {"held by": "a gate", "reason": check.words}


def test_what_comes_after_a_gate_that_may_hold_waits_for_the_scores() -> None:
    run = a_gated_run({**HOLD, "drop": 99.0})
    _train(run, "if_rl")
    assert lifecycle.claim_stage(run.stages.get(name="mopd").pk, worker="host:1") is None
    score_all(run)
    assert GateCheck.objects.get().outcome == "passed"
    assert claim(run.stages.get(name="mopd"))


def test_nothing_waits_for_a_gate_that_only_warns() -> None:
    named = {"kind": "grpo", "domains": {"stem": 1}, "steps": 6, "learning_rate": 1e-3}
    stages = [
        {"kind": "sft", "name": "warm", "domains": dict.fromkeys(DOMAINS, 1), "steps": 6, "learning_rate": 1e-3},
        {**named, "name": "if_rl"}, {**named, "name": "last"},
    ]  # fmt: skip
    run = a_run(a_project(), spec=a_recipe(stages=stages, gates=[{**HOLD, "then": "warn"}]))
    finish(run, "warm")
    _train(run, "if_rl")
    assert claim(run.stages.get(name="last"))


def test_a_warning_tells_who_started_the_run_and_nothing_waits() -> None:
    run = a_gated_run({**HOLD, "then": "warn"})
    a_member(run.project, "grace", Role.REVIEWER)
    finish(run, "if_rl")
    assert _fresh(run).held_at is None
    assert GateCheck.objects.get().outcome == "warned"
    assert [(n.recipient, n.kind) for n in Notice.objects.all()] == [(run.created_by, NoticeKind.GATE_WARNING)]
    assert AuditEntry.objects.get().action == "gate.warned"


def test_a_gate_at_the_end_has_nothing_to_hold_back_and_warns() -> None:
    run = a_gated_run({**HOLD, "after": "mopd", "since": "start"})
    finish(run, "if_rl", "mopd")
    assert _fresh(run).status == Status.SUCCEEDED
    assert _fresh(run).held_at is None
    assert GateCheck.objects.get().words.endswith("; no stage was left to hold back")


def test_checked_once_and_scoring_again_asks_no_more(held: Run) -> None:
    gates.check_gates(held)
    gates.check_all_gates()
    holds.release(held, by=held.created_by)
    lifecycle.score_again(held.checkpoints.get(stage__name="if_rl"))
    score_all(held)
    assert GateCheck.objects.count() == Notice.objects.filter(recipient=held.created_by).count() == 1
    assert _fresh(held).held_at is None


def test_what_a_lost_worker_left_is_checked_by_the_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_gated_run(HOLD)
    with monkeypatch.context() as patch:
        patch.setattr(gates, "check_gates", lambda run: None)  # the worker died before it came to it
        finish(run, "if_rl")
    assert not ready.stages().filter(run=run).exists()
    gates.check_all_gates()
    assert _fresh(run).held_at is not None


def test_a_checkpoint_is_due_once_all_it_descends_from_is_scored() -> None:
    run = a_gated_run(HOLD)
    Checkpoint.objects.filter(stage__name="warm").update(status="queued", gates_checked_at=None)
    _train(run, "if_rl")
    mine = run.checkpoints.get(stage__name="if_rl")
    Checkpoint.objects.filter(pk=mine.pk).update(status="succeeded")
    gates.check_gates(run)
    assert not GateCheck.objects.exists()
    Checkpoint.objects.filter(pk=mine.pk).update(status="queued")
    score_all(run)
    assert GateCheck.objects.count() == 1


def test_a_fault_in_one_run_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    run = a_gated_run(HOLD)
    monkeypatch.setattr(gates, "score_matrix", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        finish(run, "if_rl")
    gates.check_all_gates()
    assert "cannot be checked" in caplog.text


def test_a_gate_that_is_tripped_while_a_person_holds_the_run_holds_it_next() -> None:
    run = a_gated_run(HOLD)
    grace = a_member(run.project, "grace", Role.REVIEWER)
    _train(run, "if_rl")
    holds.hold(run, reason="lunch", by=run.created_by)
    score_all(run)
    assert _fresh(run).hold_reason == "lunch"
    holds.release(run, by=run.created_by)
    assert _fresh(run).hold_reason.startswith("gate 1 ")
    holds.release(run, by=grace)
    assert _fresh(run).held_at is None


def test_who_may_not_review_approves_nothing(held: Run) -> None:
    viewer = a_member(held.project, "vera", Role.VIEWER)
    with pytest.raises(RoleTooLowError):
        holds.release(held, by=viewer)
    assert not Notice.objects.filter(recipient=viewer).exists()


def test_nobody_approves_what_they_have_not_seen(held: Run) -> None:
    with pytest.raises(NotPossibleError, match="for another reason by now"):
        holds.release(held, by=held.created_by, seen="2026-01-01T00:00:00+00:00")
    holds.release(held, by=held.created_by, seen=holds.hold_seen(held))
    with pytest.raises(NotPossibleError, match="is not held"):
        holds.release(held, by=held.created_by)


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_writes() -> None:
    run = a_gated_run(HOLD)
    finish_without_gates = gates.check_gates
    gates_due = threading.Barrier(2)

    def check() -> None:
        try:
            gates_due.wait(timeout=10)
            finish_without_gates(run)
        finally:
            connections.close_all()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "check_gates", lambda run: None)
        finish(run, "if_rl")
    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert GateCheck.objects.count() == Notice.objects.filter(recipient=run.created_by).count() == 1
    assert AuditEntry.objects.filter(action="run.held").count() == 1

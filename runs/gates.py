"""Check the gates of a run's recipe as its checkpoints are scored: each gate once per checkpoint, by whichever worker is first.

A gate compares with earlier checkpoints, so a checkpoint is due once its own scores and those of all that it descends from
are in. Whoever finishes a scoring checks what that made due; the beat checks what a worker that died left.
"""

import logging

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from runs import holds, notices
from runs.drift.changes import Change
from runs.drift.gates import ask_gate, finding_words, gate_words
from runs.drift.matrix import ScoreMatrix
from runs.matrices import score_matrix
from runs.models import Checkpoint, GateCheck, GateOutcome, Run, Stage, Status
from runs.ready import tend
from workers.spec import GateSpec

logger = logging.getLogger(__name__)


def gates_of(run: Run) -> list[GateSpec]:
    """The gates of the recipe as the run was started."""
    return [GateSpec.model_validate(document) for document in run.document.get("gates", [])]


def rule_words(gate: GateSpec) -> str:
    """Say what a gate forbids and what follows, in a sentence."""
    follows = "hold the run" if gate.then == "hold" else "warn"
    return f"{gate_words(gate)}; else {follows}"


def check_gates(run: Run) -> None:
    """Check all that is due in a run, then let go on what waited for it and is not held."""
    gates = gates_of(run)
    if not gates:
        return
    for checkpoint in (
        _unchecked().filter(run=run).select_related("run__project", "run__created_by", "stage__starts_from")
    ):
        assert checkpoint.stage is not None
        if _is_line_scored(checkpoint.stage):
            _check(checkpoint, gates)
            tend(run)


def check_all_gates() -> None:
    """Check all that is due in any run; the beat calls this for what a lost worker left."""
    for run in Run.objects.filter(document__gates__0__isnull=False, pk__in=_unchecked().values("run")):
        try:
            check_gates(run)
        except Exception:  # the fault of one run must not keep the others waiting
            logger.exception("the gates of %s cannot be checked", run)


def _unchecked() -> QuerySet[Checkpoint]:
    return Checkpoint.objects.filter(
        stage__isnull=False, is_mid_stage=False, status=Status.SUCCEEDED, gates_checked_at=None
    )


def _is_line_scored(stage: Stage) -> bool:
    """Whether all that a stage descends from is scored, the base included."""
    before, line = stage.starts_from, []
    while before is not None:
        line.append(before.pk)
        before = before.starts_from
    ends = Checkpoint.objects.filter(run=stage.run, is_mid_stage=False)
    return not (ends.filter(stage__in=line) | ends.filter(stage=None)).exclude(status=Status.SUCCEEDED).exists()


def _check(checkpoint: Checkpoint, gates: list[GateSpec]) -> None:
    """Ask the gates, which takes a while, then write what they found unless another worker did meanwhile."""
    stage = checkpoint.stage
    assert stage is not None
    matrix = score_matrix(checkpoint.run, before=stage.position + 1)
    asked = [(position, gate) for position, gate in enumerate(gates) if gate.is_asked_after(stage.name)]
    found = [_checked(checkpoint, matrix, position, gate) for position, gate in asked]
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=checkpoint.run_id)
        unchecked = _unchecked().filter(pk=checkpoint.pk)
        if not unchecked.update(gates_checked_at=timezone.now()):
            return
        if not holds.has_more_to_start(run):
            found = [_without_hold(check) for check in found]
        GateCheck.objects.bulk_create(found)
        holds.hold_by_gates(run, [check for check in found if check.outcome == GateOutcome.HELD])
        for check in found:
            if check.outcome == GateOutcome.WARNED:
                holds.record(run, "gate.warned", by=None, after={"reason": check.words})
            if check.outcome != GateOutcome.PASSED:
                notices.tell_of_gate(check)


def _checked(checkpoint: Checkpoint, matrix: ScoreMatrix, position: int, gate: GateSpec) -> GateCheck:
    row = str(checkpoint.stage)
    finding = ask_gate(matrix, gate, row)
    outcome = GateOutcome.PASSED
    if finding.is_tripped:
        outcome = GateOutcome.HELD if gate.then == "hold" else GateOutcome.WARNED
    return GateCheck(
        checkpoint=checkpoint,
        position=position,
        outcome=outcome,
        rule=gate_words(gate),
        found=finding_words(matrix, gate, finding, row),
        changes=[_facts(change, is_lost=change in finding.lost) for change in finding.changes],
    )


def _without_hold(check: GateCheck) -> GateCheck:
    """A gate that would hold a run of which nothing is left to start can only warn."""
    if check.outcome == GateOutcome.HELD:
        check.outcome, check.found = GateOutcome.WARNED, f"{check.found}; no stage was left to hold back"
    return check


def _facts(change: Change, *, is_lost: bool) -> dict[str, object]:
    return {
        "domain": change.column,
        "since": change.reference,
        "difference": change.difference,
        "interval": change.interval,
        "p_value": change.adjusted_p,
        "is_lost": is_lost,
        "reason": change.reason,
    }

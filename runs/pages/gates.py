"""What holds a run and what its gates found, on its page and on its drift page."""

from typing import Any

from django.contrib.auth.models import User

from runs import gates, holds
from runs.models import GateCheck, GateOutcome, Role, Run, Status


def hold_context(run: Run, user: User, role: Role | None) -> dict[str, Any]:
    """What `runs/_hold.html` shows: who holds the run, who may end that, and what gates warned of or had approved."""
    checks = [check for check in gate_checks(run) if check.outcome != GateOutcome.PASSED]
    is_open = any(stage.status in (Status.QUEUED, Status.RUNNING, Status.PAUSED) for stage in run.stages.all())
    return {
        "holder": holds.holder(run),
        "hold_seen": holds.hold_seen(run),
        "may_release": holds.may_release(run, user, role),
        "may_cancel_held": run.held_by is None and is_open and role is not None and role.may(Role.RUNNER),
        "warnings": [check for check in checks if check.outcome == GateOutcome.WARNED],
        "approved": [check for check in checks if check.approved_at is not None],
    }


def gates_section(run: Run) -> list[dict[str, Any]]:
    """Each gate of the run's recipe in words, with what it found so far."""
    found: dict[int, list[GateCheck]] = {}
    for check in gate_checks(run):
        found.setdefault(check.position, []).append(check)
    return [
        {"number": position + 1, "rule": gates.rule_words(gate), "checks": found.get(position, [])}
        for position, gate in enumerate(gates.gates_of(run))
    ]


def gate_checks(run: Run) -> list[GateCheck]:
    """All that gates found in a run, in the order of its stages; no query where it has no gates."""
    if not run.document.get("gates"):
        return []
    return list(GateCheck.objects.filter(checkpoint__run=run).select_related("checkpoint__stage", "approved_by"))

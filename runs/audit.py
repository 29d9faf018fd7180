"""The audit log: who did what, when, and what it was before and after. It is only ever added to."""

from typing import Any

from django.contrib.auth.models import User

from runs.models import AuditEntry, Project

ACTIONS = {
    "proposal.made": "proposed for promotion",
    "proposal.reviewed": "reviewed",
    "proposal.renewed": "took up the new scores of",
    "proposal.withdrawn": "withdrew the proposal of",
    "alias.moved": "promoted",
    "checkpoint.exported": "exported",
    "policy.changed": "changed",
    "member.added": "added",
    "member.changed": "changed the role of",
    "member.removed": "removed",
    "data_set.deleted": "deleted",
    "data_set.registered": "registered",
    "model.registered": "registered model",
    "model.removed": "removed the registration of model",
    "reference.linked": "chose the published benchmark of",
    "run.held": "held",
    "run.released": "released",
    "gate.approved": "approved after a gate held",
    "gate.warned": "warned of",
    "score.topped_up": "asked for more answers to",
    "score.top_up_cancelled": "cancelled the top-up of",
    "benchmark.removed": "took back the benchmark",
    "benchmark.added": "added or went on with the benchmark",
}


def record(
    project: Project,
    action: str,
    *,
    by: User | None,
    subject: str,
    url: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write an entry; call it inside the transaction of what it tells of, so that neither is there without the other.

    by: the person; None where a gate of a recipe did it.
    """
    assert action in ACTIONS, action
    AuditEntry.objects.create(
        project=project, actor=by, action=action, subject=subject[:200], url=url, before=before, after=after
    )

"""What a gate of a recipe says of a checkpoint: which of the domains it looks at have lost more than it lets them.

    lost = reference - R[row][j] > drop        and, where noise must not trip it, significant

The changes that one gate asks about are one family: Holm's correction is over them, not over the whole row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from runs.drift import words
from runs.drift.changes import Change, correct, find_changes_of_row
from runs.drift.intervals import ALPHA
from runs.drift.matrix import ScoreMatrix
from workers.catalogue import describe
from workers.spec import GateSpec

_SINCE = {"start": "since the start", "previous": "since the checkpoint before", "peak": "since its best earlier score"}
_ROUNDING = 9  # decimals: a difference of means is no exact fraction, and 0.80 - 0.75 is no more than 5 points


@dataclass(frozen=True)
class GateFinding:
    """What a gate looked at, the largest loss first, and which of it trips the gate."""

    changes: tuple[Change, ...]
    lost: tuple[Change, ...]

    @property
    def is_tripped(self) -> bool:
        return bool(self.lost)


def ask_gate(matrix: ScoreMatrix, gate: GateSpec, row: str) -> GateFinding:
    """Hold the scores of a checkpoint against their references."""
    asked = [
        change
        for change in find_changes_of_row(matrix, row, gate.since)
        if change.column in _domains(matrix, gate, row)
    ]
    changes = tuple(sorted(correct({(change.row, change.column): change for change in asked}).values(), key=_by_loss))
    return GateFinding(changes, tuple(change for change in changes if _trips(gate, change)))


def gate_words(gate: GateSpec) -> str:
    """Say what a gate forbids, as half a sentence."""
    after = f"after {gate.after}" if gate.after else "after every stage"
    domain = describe(gate.domain).title if gate.domain else "a domain that an earlier stage trained"
    loss = f"more than {gate.drop:g} points" if gate.drop else "anything"
    noise = " by more than noise" if gate.significant else ""
    return f"{after}, {domain} may not lose {loss}{noise} {_SINCE[gate.since]}"


def finding_words(matrix: ScoreMatrix, gate: GateSpec, finding: GateFinding, row: str) -> str:
    """Say what a gate found at a checkpoint, in a sentence with numbers."""
    title = matrix.row(row).title
    if not finding.changes:
        return f"no domain to look at after {title}"
    if finding.is_tripped:
        losses = words.listed([_loss_words(matrix, change, len(finding.changes)) for change in finding.lost])
        return f"after {title}, {losses}"
    known = [change for change in finding.changes if change.difference is not None]
    lowest = [f"lowest: {_loss_words(matrix, known[0], len(finding.changes))}"] if known else []
    unknown = [f"{_title(matrix, change)}: {change.reason}" for change in finding.changes if change.difference is None]
    return f"after {title}, {'; '.join([*lowest, *unknown])}"


def _domains(matrix: ScoreMatrix, gate: GateSpec, row: str) -> Sequence[str]:
    if gate.domain is not None:
        return (gate.domain,)
    return [domain for before in matrix.lineage(row)[:-1] for domain in before.domains]


def _by_loss(change: Change) -> tuple[bool, float]:
    return change.difference is None, change.difference or 0.0


def _trips(gate: GateSpec, change: Change) -> bool:
    if change.difference is None or (gate.significant and not change.is_significant):
        return False
    return round(-100 * change.difference, _ROUNDING) > gate.drop


def _loss_words(matrix: ScoreMatrix, change: Change, n_asked: int) -> str:
    assert change.difference is not None
    assert change.reference is not None
    numbers = words.joined(words.change(change.difference), words.change_interval(change.interval))
    noise = ""
    if change.adjusted_p is not None:
        family = f" over {n_asked} domains" if n_asked > 1 else ""
        p = "p < 0.001" if change.adjusted_p < 0.001 else f"p = {change.adjusted_p:.3f}"
        noise = f", {p}{family}{'' if change.adjusted_p < ALPHA else ', within noise'}"
    return f"{_title(matrix, change)} changed by {numbers} since {matrix.row(change.reference).title}{noise}"


def _title(matrix: ScoreMatrix, change: Change) -> str:
    return words.in_sentence(matrix.column(change.column).title)

"""Which stage did most harm: what each stage took from the domains, over all of them together.

    harm of stage i = sum_j (R[i-1][j] - R[i][j])        over the domains j that stage i lowered by more than noise

Significance is that of the matrix: Holm over the stage's row. Where no score has items, noise is unknown; then every fall
counts, and `is_known` is false. Gains pay for nothing: a stage that lifts its own domain has still done its harm.
"""

from dataclasses import dataclass

from runs.drift.changes import Change, ChangeMatrix, find_changes
from runs.drift.matrix import ScoreMatrix, rows_after
from runs.drift.measures import ends


@dataclass(frozen=True)
class Harm:
    """What one stage took; `losses` are its falls since the stage before, the largest first."""

    row: str
    losses: tuple[Change, ...]
    is_known: bool = True  # whether the falls are more than noise

    @property
    def total(self) -> float:
        """All its losses added up; below 0."""
        return sum(change.difference or 0.0 for change in self.losses)


def find_harm(
    matrix: ScoreMatrix, *, row: str | None = None, start: str | None = None, since_previous: ChangeMatrix | None = None
) -> list[Harm]:
    """List the stages that did harm on the way from the start to a row, the worst first.

    row: left out, the last that is scored. since_previous: `find_changes(matrix, "previous")`, where it is known already.
    """
    found = ends(matrix, row, start)
    if found is None:
        return []
    stages = [stage.key for stage in rows_after(matrix.lineage(found[0]), found[1])]
    changes = find_changes(matrix, "previous") if since_previous is None else since_previous
    asked = [
        change for key in stages for column in matrix.columns if (change := changes[key, column.domain]).difference
    ]
    is_known = any(change.is_known for change in asked)
    falls = [change for change in asked if (change.is_loss if is_known else (change.difference or 0.0) < 0)]
    harms = [Harm(key, _largest_first(falls, key), is_known) for key in stages]
    return sorted((harm for harm in harms if harm.losses), key=lambda harm: harm.total)


def _largest_first(falls: list[Change], row: str) -> tuple[Change, ...]:
    return tuple(sorted((change for change in falls if change.row == row), key=lambda change: change.difference or 0.0))

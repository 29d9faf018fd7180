"""Which problems a pair of checkpoints answers differently, and which of these flips say most."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runs.drift.comparability import why_incomparable
from runs.drift.matrix import ScoreCell, ScoreMatrix
from runs.drift.paired import compare


@dataclass(frozen=True)
class Flips:
    """Positions of the problems that were lost, gained and kept; where `reason` is set, there is nothing to compare."""

    lost: tuple[int, ...] = ()
    gained: tuple[int, ...] = ()
    unchanged: tuple[int, ...] = ()
    p_value: float | None = None
    test: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Flip:
    """One problem that flipped. `streak` counts the checkpoints in a row that had been as sure of it, `before` among them."""

    item: int
    is_lost: bool
    before: float
    after: float
    streak: int


def find_flips(before: ScoreCell, after: ScoreCell) -> Flips:
    """Sort the problems of one benchmark by what became of them between two checkpoints."""
    if refusal := why_incomparable(before, after):
        return Flips(reason=refusal)
    if before.values is None or after.values is None:
        return Flips(reason="no item results")
    found = compare(before.values, after.values, k=(before.averaged, after.averaged))
    return Flips(
        lost=_positions(after.values < before.values),
        gained=_positions(after.values > before.values),
        unchanged=_positions(after.values == before.values),
        p_value=found.p_value,
        test=found.test,
    )


def rank_flips(matrix: ScoreMatrix, column: str, before: str, after: str) -> list[Flip]:
    """List the flips of a pair, lost ones first; within each, those first that had been stable for longest.

    A problem that every earlier checkpoint answered is lost in earnest; one that comes and goes flips by luck.
    """
    earlier, later = matrix.cell(before, column), matrix.cell(after, column)
    if earlier is None or later is None or earlier.values is None or later.values is None:
        return []
    flips, streaks = find_flips(earlier, later), _streaks(matrix, earlier)
    return [
        Flip(item, is_lost, float(earlier.values[item]), float(later.values[item]), int(streaks[is_lost][item]))
        for is_lost, items in ((True, flips.lost), (False, flips.gained))
        for item in sorted(items, key=lambda item: (-streaks[is_lost][item], item))
    ]


def _streaks(matrix: ScoreMatrix, cell: ScoreCell) -> dict[bool, npt.NDArray[np.int64]]:
    """Count, per item, the checkpoints up to this one without a gap that were no worse (True) or no better (False).

    A checkpoint without a comparable score ends all streaks: nobody knows what it would have answered.
    """
    assert cell.values is not None
    counts = {is_lost: np.zeros(len(cell.values), dtype=np.int64) for is_lost in (True, False)}
    holds = {is_lost: np.ones(len(cell.values), dtype=np.bool_) for is_lost in (True, False)}
    for row in reversed(matrix.lineage(cell.row)):
        found = matrix.cell(row.key, cell.column)
        if found is None or found.values is None or why_incomparable(found, cell):
            break
        holds[True] &= found.values >= cell.values
        holds[False] &= found.values <= cell.values
        for is_lost, count in counts.items():
            count += holds[is_lost]
    return counts


def _positions(mask: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(position) for position in np.flatnonzero(mask))

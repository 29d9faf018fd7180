"""Which problems a pair of checkpoints answers differently."""

from dataclasses import dataclass

import numpy as np

from runs.drift.comparability import why_incomparable
from runs.drift.matrix import ScoreCell
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


def find_flips(before: ScoreCell, after: ScoreCell) -> Flips:
    """Sort the problems of one benchmark by what became of them between two checkpoints."""
    if refusal := why_incomparable(before, after):
        return Flips(reason=refusal)
    if before.values is None or after.values is None:
        return Flips(reason="no item results")
    found = compare(before.values, after.values)
    return Flips(
        lost=_positions(after.values < before.values),
        gained=_positions(after.values > before.values),
        unchanged=_positions(after.values == before.values),
        p_value=found.p_value,
        test=found.test,
    )


def _positions(mask: np.typing.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(position) for position in np.flatnonzero(mask))

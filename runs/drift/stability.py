"""The stability gap: how far a domain fell within a stage, before the stage's end brought some of it back.

Scores at the ends of stages cannot see it; scores taken in the middle of a stage can (De Lange et al. 2023, Continual
evaluation for lifelong learning, arXiv 2205.13452, whose min-ACC averages the lowest points).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from runs.drift.comparability import NO_ITEMS, why_incomparable
from runs.drift.families import holm
from runs.drift.intervals import ALPHA, Interval
from runs.drift.matrix import ScoreCell, ScoreMatrix
from runs.drift.paired import compare

During = Mapping[tuple[str, str], Mapping[int, ScoreCell]]  # (row key, column domain) -> optimiser step -> score
NO_MIDDLE = "needs scores from the middle of a stage: set score_every of one"


@dataclass(frozen=True)
class StabilityGap:
    """The lowest point of one domain within one stage; where `depth` is None, `reason` says why."""

    step: int | None = None  # where the lowest point was
    depth: float | None = None  # before - lowest, -1 to 1; positive: fell below where the stage began
    lasting: float | None = None  # before - after: the part that was still lost at the end
    interval: Interval | None = None  # 95 %, of the depth, at this one step
    adjusted_p: float | None = None  # after Holm over all steps, of which this is the lowest
    reason: str = ""
    row: str = ""  # the stage, where several were asked

    @property
    def is_significant(self) -> bool:
        return self.depth is not None and self.depth > 0 and self.adjusted_p is not None and self.adjusted_p < ALPHA


def stability_gap(before: ScoreCell, during: Mapping[int, ScoreCell], after: ScoreCell) -> StabilityGap:
    """Find the lowest score within a stage.

        depth = R[before] - min_s R[s]        over the steps s that were scored

    before, after: the scores at the stage's start and end. during: optimiser step -> score. The lowest of several noisy
    scores is read too low, so the depth is biased upwards; its p-value is corrected for having looked at every step.
    """
    steps = {step: cell for step, cell in during.items() if not why_incomparable(before, cell)}
    if not steps:
        whys = {why_incomparable(before, cell) for cell in during.values()}
        return StabilityGap(reason="; ".join(sorted(whys)) or "needs scores from the middle of the stage")
    step, lowest = min(steps.items(), key=lambda pair: (pair[1].mean, pair[0]))
    depth = before.mean - lowest.mean
    lasting = None if why_incomparable(before, after) else before.mean - after.mean
    if before.values is None or any(cell.values is None for cell in steps.values()):
        return StabilityGap(step, depth, lasting, reason=NO_ITEMS)
    tests = {
        at: compare(cell.values, before.values, k=(cell.averaged, before.averaged))
        for at, cell in steps.items()
        if cell.values is not None
    }
    adjusted = dict(zip(tests, holm([test.p_value for test in tests.values()]), strict=True))
    return StabilityGap(step, depth, lasting, tests[step].interval, adjusted[step])


def deepest_gaps(matrix: ScoreMatrix, during: During) -> dict[str, StabilityGap]:
    """Find for every domain the stage within which it fell deepest, of those that the last scored row descends from."""
    final = matrix.final_row()
    line = matrix.lineage(final.key) if final else ()
    return {
        column.domain: _deepest(matrix, during, column.domain, [row.key for row in line]) for column in matrix.columns
    }


def _deepest(matrix: ScoreMatrix, during: During, domain: str, line: list[str]) -> StabilityGap:
    found = []
    for start, row in pairwise(line):
        before, after = matrix.cell(start, domain), matrix.cell(row, domain)
        if (row, domain) in during and before is not None and after is not None:
            found.append(replace(stability_gap(before, during[row, domain], after), row=row))
    known = [gap for gap in found if gap.depth is not None]
    if known:
        return max(known, key=lambda gap: gap.depth or 0.0)
    return found[0] if found else StabilityGap(reason=NO_MIDDLE)

"""What a top-up would take: how many answers per problem would decide a change that is within noise.

Its numbers are those of `power.effort_to_decide`, bounded by what a person may ask for with one click.
"""

import math
from dataclasses import dataclass

from runs.drift.intervals import ALPHA, variance_of_mean
from runs.drift.matrix import ScoreCell
from runs.drift.power import ONE_ANSWER, Effort, effort_to_decide, items_needed

MOST = 64  # answers per problem in all: beyond, the intervals are those of the problems
FIRST = 4  # what one answer per problem is topped up to, so that luck can be told from difficulty


@dataclass(frozen=True)
class TopUpPlan:
    """Answers per problem that both checkpoints would need in all; where `samples` is None, `reason` says why."""

    samples: int | None = None
    reason: str = ""
    decides: bool = True  # in 8 of 10 cases, if the change is as large as it looks; else it only tells how many would


def plan_top_up(before: ScoreCell, after: ScoreCell, *, alpha: float = ALPHA) -> TopUpPlan:
    """Say how many answers to the same problems would decide a change, or why none would."""
    if before.settings.get("temperature") == 0:
        return TopUpPlan(reason="answers are greedy (temperature 0): asked again, a checkpoint says the same")
    effort = effort_to_decide(before, after, alpha=alpha)
    if effort.samples is None:
        return _first_answers(before, after, effort, alpha)
    if effort.samples > MOST:
        return TopUpPlan(reason=f"it would take {effort.samples:,} of them, and a top-up stops at {MOST}")
    if effort.samples <= min(before.samples, after.samples):
        return TopUpPlan(reason="by this reckoning those that are there should have decided; it is a close call")
    return TopUpPlan(effort.samples)


def _first_answers(before: ScoreCell, after: ScoreCell, effort: Effort, alpha: float) -> TopUpPlan:
    """Ask for a few where there is one, unless even `MOST` would not do if all of the spread were luck."""
    if effort.why_no_samples != ONE_ANSWER or before.values is None or after.values is None:
        return TopUpPlan(reason=effort.why_no_samples)
    fewest = fewest_answers(before, after, alpha=alpha)
    if fewest > MOST:
        return TopUpPlan(reason=f"it would take {fewest:,} of them or more, and a top-up stops at {MOST}")
    return TopUpPlan(FIRST, decides=False)


def fewest_answers(before: ScoreCell, after: ScoreCell, *, alpha: float = ALPHA) -> int:
    """Count the answers per problem that would decide if the problems' differences were luck alone.

    Then s^2 falls as the sum of both checkpoints' 1 / k, so that n problems with k answers are worth as much as more of them.
    """
    assert before.values is not None, "a plan is of scores with items"
    assert after.values is not None, "a plan is of scores with items"
    moved = after.values - before.values
    spread = math.sqrt(variance_of_mean(moved) * len(moved))
    ratio = items_needed(spread, after.mean - before.mean, alpha=alpha) / len(moved)
    return math.ceil(2 * ratio / (1 / before.samples + 1 / after.samples) - 1e-9)

"""What a top-up would take: how many answers per problem would decide a change that is within noise.

Its numbers are those of `power.effort_to_decide`, bounded by what a person may ask for with one click.
"""

from dataclasses import dataclass

from runs.drift.intervals import ALPHA
from runs.drift.matrix import ScoreCell
from runs.drift.power import ONE_ANSWER, effort_to_decide, fewest_answers

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
    if before.settings.get("harness"):
        return TopUpPlan(
            reason="the lm-evaluation-harness asks each document once, and would be answered the same again"
        )
    if before.settings.get("temperature") == 0:
        return TopUpPlan(reason="answers are greedy (temperature 0): asked again, a checkpoint says the same")
    effort = effort_to_decide(before, after, alpha=alpha)
    if effort.why_no_samples == ONE_ANSWER:
        return _first_answers(before, after, alpha)
    if effort.samples is None:
        return TopUpPlan(reason=effort.why_no_samples)
    if effort.samples > MOST:
        return TopUpPlan(reason=f"it would take {effort.samples:,} of them, and a top-up stops at {MOST}")
    if effort.samples <= min(before.samples, after.samples):
        return TopUpPlan(reason="by this reckoning those that are there should have decided; it is a close call")
    return TopUpPlan(effort.samples)


def _first_answers(before: ScoreCell, after: ScoreCell, alpha: float) -> TopUpPlan:
    """Ask for a few where there is one, unless even `MOST` would not do if all of the spread were luck."""
    fewest = fewest_answers(before, after, alpha=alpha)
    if fewest > MOST:
        return TopUpPlan(reason=f"it would take {fewest:,} of them or more, and a top-up stops at {MOST}")
    return TopUpPlan(FIRST, decides=False)

"""What a benchmark can see: the smallest change it finds, and how many problems or answers it takes to decide.

All of it is for a paired difference of n problems whose differences have standard deviation s, by the normal
approximation (Connor 1987, Biometrics 43, p. 207, for right or wrong items; the paired z-test otherwise):

    smallest change = (z(1 - alpha/2) + z(power)) s / sqrt(n)

alpha is of one test alone; of m tests that are corrected together, alpha / m is on the safe side.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from runs.drift.comparability import NO_ITEMS, why_incomparable
from runs.drift.intervals import ALPHA, Values, variance_of_mean
from runs.drift.matrix import ScoreCell, ScoreMatrix
from workers.metrics import k_of

POWER = 0.8
ONE_ANSWER = "with one answer per problem luck cannot be told from difficulty; two or more would tell"


@dataclass(frozen=True)
class Detectable:
    """The smallest change a benchmark finds with the wanted power; where `change` is None, `reason` says why."""

    change: float | None = None  # 0 to 1
    spread: float | None = None  # s, standard deviation of one problem's difference
    n: int = 0  # problems
    reason: str = ""


@dataclass(frozen=True)
class Effort:
    """How large an evaluation decides a change; where a number is None, its reason says why."""

    items: int | None = None  # problems, at today's answers per problem
    samples: int | None = None  # answers per problem, on today's problems
    why_no_items: str = ""
    why_no_samples: str = ""


def smallest_change(spread: float, n: int, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Find the change that n problems (1 or more) find with the wanted power; in units of the spread."""
    return _distance(alpha, power) * spread / math.sqrt(n)


def items_needed(spread: float, change: float, *, alpha: float = ALPHA, power: float = POWER) -> int:
    """Count the problems that find a change (not 0): ceil(((z(1 - alpha/2) + z(power)) s / change)^2)."""
    assert change, "no number of problems finds a change of nothing"
    return max(2, math.ceil((_distance(alpha, power) * spread / change) ** 2 - 1e-9))


def detectable_changes(matrix: ScoreMatrix, *, alpha: float = ALPHA, power: float = POWER) -> Mapping[str, Detectable]:
    """Say for every benchmark which change between a checkpoint and the next it can see; column domain -> answer.

    The spread is the root mean square of those seen from each row to the next, so it is that of this cascade's own
    changes, at its k answers per problem.
    """
    return {column.domain: _detectable(matrix, column.domain, alpha, power) for column in matrix.columns}


def effort_to_decide(
    before: ScoreCell,
    after: ScoreCell,
    *,
    change: float | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
) -> Effort:
    """Count the problems, or the answers per problem, that would tell a change of two checkpoints from noise.

    change: what is worth finding, 0 to 1; left out, the difference that was seen, as if it were true. More answers only
    average luck out; the differences between problems stay, so beyond some size only more problems help:

        s^2(k) = t + w / k    w: variance of single answers, v (1 - v) k / (k - 1) per problem of mean v, both checkpoints

    The checkpoints may have unequal k now; the samples are those that both would need.
    """
    if why := why_incomparable(before, after):
        return Effort(why_no_items=why, why_no_samples=why)
    if before.values is None or after.values is None:
        return Effort(why_no_items=NO_ITEMS, why_no_samples=NO_ITEMS)
    wanted = abs(after.mean - before.mean if change is None else change)
    if wanted == 0:
        why = "no difference was seen; name the smallest change that matters"
        return Effort(why_no_items=why, why_no_samples=why)
    spread = _spread(before.values, after.values)
    items = items_needed(spread, wanted, alpha=alpha, power=power)
    samples = _samples_needed(before, after, spread, wanted / _distance(alpha, power))
    return Effort(items, None, why_no_samples=samples) if isinstance(samples, str) else Effort(items, samples)


def fewest_answers(before: ScoreCell, after: ScoreCell, *, alpha: float = ALPHA, power: float = POWER) -> int:
    """Count the answers per problem that would decide a change (not 0) if all of its spread were luck.

    The spread then falls as the sum of both checkpoints' 1 / k, so answers are worth as much as problems; as some of it
    never is luck, fewer answers than these will not decide.
    """
    assert before.values is not None, "only a comparison of items can be decided by more answers"
    assert after.values is not None, "only a comparison of items can be decided by more answers"
    items = items_needed(_spread(before.values, after.values), after.mean - before.mean, alpha=alpha, power=power)
    return math.ceil(2 * items / before.n / (1 / before.samples + 1 / after.samples) - 1e-9)


def _detectable(matrix: ScoreMatrix, column: str, alpha: float, power: float) -> Detectable:
    pairs = []
    for row in matrix.rows:
        before, after = matrix.cell(row.parent, column) if row.parent else None, matrix.cell(row.key, column)
        if before and after and not why_incomparable(before, after):
            pairs.append((before, after))
    spreads = [
        _spread(before.values, after.values)
        for before, after in pairs
        if before.values is not None and after.values is not None
    ]
    if not spreads:
        return Detectable(reason=NO_ITEMS if pairs else "needs two checkpoints in a row with comparable scores")
    spread, n = float(np.sqrt(np.mean(np.square(spreads)))), pairs[-1][1].n
    change = smallest_change(spread, n, alpha=alpha, power=power)
    if change > 1:
        return Detectable(None, spread, n, f"{n} problems are too few to see even a fall from all to nothing")
    return Detectable(change, spread, n)


def _samples_needed(before: ScoreCell, after: ScoreCell, spread: float, error: float) -> int | str:
    """Find the least k with s^2(k) / n <= error^2, or say why there is none."""
    if (k := k_of(before.settings)) is not None:
        return f"how far luck goes in pass@{k} is not reckoned; more problems decide"
    if min(before.samples, after.samples) < 2:
        return ONE_ANSWER
    luck = _luck(before), _luck(after)
    if luck[0] is None or luck[1] is None:
        return "answers are graded by degrees, so their luck is unknown"
    between = max(0.0, spread**2 - luck[0] / before.samples - luck[1] / after.samples)
    room = before.n * error**2 - between
    if room <= 0:
        return "the problems themselves differ too much; only more problems decide"
    return max(1, math.ceil((luck[0] + luck[1]) / room - 1e-9))


def _luck(cell: ScoreCell) -> float | None:
    """Estimate the mean variance of one answer, without bias; None where answers are not plainly right or wrong."""
    values, k = cell.values, cell.samples
    if values is None or np.abs(values * k - np.rint(values * k)).max() > 1e-6:
        return None
    return float((values * (1 - values)).mean()) * k / (k - 1)


def _spread(before: Values, after: Values) -> float:
    moved = after - before
    return math.sqrt(variance_of_mean(moved) * len(moved))


def _distance(alpha: float, power: float) -> float:
    return float(special.ndtri(1 - alpha / 2) + special.ndtri(power))

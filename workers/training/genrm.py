"""Rewards of a generative reward model: a judge compares all pairs of a group's answers (C2 §4.5, NANO §3.3.2).

Of each pair the judge gives a score of 1 to 5 to both and a ranking r of 1 (the first is much better) to 6. Where the scores
are equal the ranking breaks the tie: s_i += 3.5 - r, s_j += r - 3.5. An answer's reward is the mean of its scores. What
short answers gain on top is the stage's `length_reward` and `conciseness_bonus` (grpo.py).

A pair is asked about once; who comes first alternates over the pairs of a group, so that a judge who favours a place
favours nobody in the mean.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations, groupby
from statistics import fmean

from workers.training.graders._judge_prompts import LONGEST, Comparison, comparing, read_comparison
from workers.training.graders._reference import final_part
from workers.training.judge import VERDICT, Judge, Told
from workers.training.rollouts import FAILED, Grade, Rollout

MIDDLE = 3.5  # of the ranking
_NOTHING = "(no answer)"

Pair = tuple[int, int]


class JudgeRewards:
    """Rewards whole groups by a judge's comparisons; raw, on the judge's scale from -1.5 to 7.5."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def grades(self, rollouts: list[Rollout]) -> list[Grade]:
        """Compare the answers within each group, all pairs of all groups at once."""
        groups = [list(members) for _, members in groupby(rollouts, key=lambda rollout: rollout.group)]
        pairs = [ordered_pairs(len(members)) for members in groups]
        questions = [
            comparing(members[i].problem, _shown(members[i]), _shown(members[j]))
            for members, both in zip(groups, pairs, strict=True)
            for i, j in both
        ]
        told = iter(self.judge.ask(questions, read_comparison))
        found: list[Grade] = []
        for members, both in zip(groups, pairs, strict=True):
            matches = {pair: next(told) for pair in both}
            found += grades_of(len(members), matches)
        return found


def ordered_pairs(n: int) -> list[Pair]:
    """List all pairs of a group, the earlier member first in every other one."""
    return [(i, j) if (i + j) % 2 else (j, i) for i, j in combinations(range(n), 2)]


def grades_of(n: int, matches: Mapping[Pair, Told[Comparison]]) -> list[Grade]:
    """Average the scores of each of n members over its matches; one without any is a 0 with its reason."""
    scores: list[list[float]] = [[] for _ in range(n)]
    reasons: list[str] = [""] * n
    for (i, j), told in matches.items():
        if told.verdict is None:
            reasons[i] = reasons[j] = told.reason
            continue
        for member, score in zip((i, j), scores_of(told.verdict), strict=True):
            scores[member].append(score)
    return [_grade(own, reason) for own, reason in zip(scores, reasons, strict=True)]


def scores_of(found: Comparison) -> tuple[float, float]:
    """Give the two scores of a match, a tie broken by the ranking."""
    tilt = MIDDLE - found.ranking if found.first == found.second else 0.0
    return found.first + tilt, found.second - tilt


def _grade(scores: Iterable[float], reason: str) -> Grade:
    own = list(scores)
    if not own:
        return Grade(0.0, {"reason": reason, FAILED: 1.0})
    mean = fmean(own)
    return Grade(mean, {VERDICT: "compared", "score": round(mean, 2), "matches": float(len(own))})


def _shown(rollout: Rollout) -> str:
    """Show the judge what follows the thinking; of an answer that is far too long, its beginning."""
    return final_part(rollout.text)[:LONGEST] or _NOTHING

"""Which answer people like better: asked of a model that compares two.

    reference     {"chosen": "Take the early train, it is half empty.", "rejected": "trains exist"}
    right         an answer that the judge prefers to `baseline`, or else to `chosen`
    wrong         one that it does not prefer; 0.5 where it takes whichever comes first

As a benchmark a row is worth how often the answer wins, with both orders asked, since judges favour a place. It needs an answer to
win against, and the recipe's judge. In training the reward is the stage's `reward_model`, never this grade: `chosen` and
`rejected` are what a model of rewards learns from. A row with neither is a prompt to train on alone.
"""

from collections.abc import Mapping, Sequence

from workers.training.graders._judge_prompts import LONGEST, Comparison, comparing, read_comparison
from workers.training.graders._reference import final_part, read_text
from workers.training.judge import VERDICT, Told, judge_of_recipe
from workers.training.rollouts import FAILED, Grade, Problem

VERSION = 1

_MIDDLE = 3.5  # a ranking below prefers the first


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError where an answer that the row names is no text, or only one of a pair is there."""
    for name in ("baseline", "chosen", "rejected"):
        if name in reference:
            read_text(reference, name)
    if "rejected" in reference and "chosen" not in reference:
        raise ValueError("found rejected without chosen, expected both; name the better answer, or drop rejected")
    if reference.get("rejected", 0) == reference.get("chosen", 1):
        raise ValueError("found the same text as chosen and rejected, expected two that differ")


def baseline_of(reference: Mapping[str, object]) -> str:
    """Find the answer that others are compared with in a benchmark; empty where the row has none."""
    return str(reference.get("baseline") or reference.get("chosen") or "")


def pair_of(reference: Mapping[str, object]) -> tuple[str, str] | None:
    """Find the chosen and the rejected answer; None where the row has no pair."""
    if "rejected" not in reference:
        return None
    return str(reference["chosen"]), str(reference["rejected"])


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Compare each answer with its row's, in both orders, all at once."""
    grades: dict[int, Grade] = {}
    questions: dict[int, list[str]] = {}
    for number, (problem, response) in enumerate(zip(problems, responses, strict=True)):
        check(problem.reference)
        own, other = final_part(response), baseline_of(problem.reference)
        if refusal := _refusal(own, other):
            grades[number] = Grade(0.0, {"reason": refusal})
        else:
            questions[number] = [comparing(problem, own, other), comparing(problem, other, own)]
    if questions:
        told = judge_of_recipe().ask([text for both in questions.values() for text in both], read_comparison)
        orders = zip(told[::2], told[1::2], strict=True)
        grades |= {number: _grade(*both) for number, both in zip(questions, orders, strict=True)}
    return [grades[number] for number in range(len(problems))]


def _refusal(own: str, other: str) -> str:
    if not other:
        return "the row has no answer to compare with"
    if not own:
        return "no answer"
    return f"longer than the {LONGEST:,} characters that a judge is shown" if len(own) > LONGEST else ""


def _grade(own_first: Told[Comparison], own_second: Told[Comparison]) -> Grade:
    """Average both orders; one alone would favour a place."""
    first, second = own_first.verdict, own_second.verdict
    if first is None or second is None:
        return Grade(0.0, {"reason": own_first.reason or own_second.reason, FAILED: 1.0})
    wins = [first.ranking < _MIDDLE, second.ranking > _MIDDLE]
    verdict = ("loss", "tie", "win")[sum(wins)]
    parts: dict[str, float | str] = {
        VERDICT: verdict,
        "score": (first.first + second.second) / 2,
        "baseline": (first.second + second.first) / 2,
    }
    return Grade(sum(wins) / 2, parts if any(wins) else {**parts, "reason": "loss"})

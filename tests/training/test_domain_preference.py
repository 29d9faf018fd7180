"""Human preference: a true utility nobody trains on, and noisy pairs that everybody does."""

import math
import random

import pytest

from workers.training.domains import preference
from workers.training.rollouts import Problem

PROBLEM = Problem("preference", "k", "help tea?", {"topic": "tea"})


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("tea", 0.75),  # on topic
        ("tea thanks", 1.5),  # + a polite word
        ("tea thanks happy glad!", 2.75),  # two polite words count, and the mark
        ("here is some tea", 0.75),  # fillers are worth nothing
        ("tea no", -0.75),  # 0.75 - 1.5 rude
        ("tea cake", 0.05),  # 0.75 - 0.7 off topic
        ("thanks thanks", 1.5),  # 2 x 0.75; one repetition is forgiven
        ("thanks thanks thanks thanks", -0.5),  # 2 x 0.75 - 2 x 1.0
        ("tea xyz", 0.05),  # 0.75 - 0.7 junk
        ("tea!!", 0.55),  # 0.75 + 0.5 for the last mark - 0.7 for the other
        ("tea is here ok sure some nice new", 0.15),  # 0.75 - 2 x 0.3 beyond six words
        ("", 0.0),
    ],
)
def test_the_true_utility(response: str, expected: float) -> None:
    assert preference.utility(PROBLEM, response) == pytest.approx(expected)


def test_a_grade_is_win_tie_or_loss_against_the_fixed_reply() -> None:
    graded = preference.grade([PROBLEM] * 3, ["tea thanks!", "tea", "no"])
    assert [grade.value for grade in graded] == [1.0, 0.5, 0.0]
    assert [grade.parts["reason"] for grade in graded] == ["win", "tie", "loss"]
    assert graded[0].parts["polite"] == 1.0


@pytest.mark.parametrize("word", ["thanks ", "tea ", "tea thanks ", "!"])
def test_no_amount_of_spam_beats_a_plain_answer(word: str) -> None:
    for times in range(4, 9):
        assert preference.utility(PROBLEM, (word * times).strip()) < preference.utility(PROBLEM, "tea")


def test_labels_are_noisy_but_mostly_right() -> None:
    leads = [_lead(*_pair(seed, hard_negatives=0.0, length_bias=0.0)) for seed in range(3000)]
    expected = sum(1 / (1 + math.exp(-abs(lead))) for lead in leads) / len(leads)
    agreement = sum(1.0 if lead > 0 else 0.5 if lead == 0 else 0.0 for lead in leads) / len(leads)
    assert agreement == pytest.approx(expected, abs=0.03)  # three standard errors
    assert 0.6 < agreement < 0.9


def test_length_bias_favours_the_longer_answer() -> None:
    def mean_difference(length_bias: float) -> float:
        pairs = [_pair(seed, hard_negatives=0.0, length_bias=length_bias) for seed in range(1500)]
        return sum(len(chosen) - len(rejected) for chosen, rejected in pairs) / len(pairs)

    assert mean_difference(0.5) > mean_difference(0.0) + 2


def test_hard_negatives_are_spam_and_always_the_worse_answer() -> None:
    for seed in range(300):
        chosen, rejected = _pair(seed, hard_negatives=1.0, length_bias=0.5)
        assert _lead(chosen, rejected) > 0
        assert len(rejected.split(" ")) >= 4 or "!!" in rejected


def _pair(seed: int, *, hard_negatives: float, length_bias: float) -> tuple[str, str]:
    return preference.preference_pair(
        PROBLEM, random.Random(seed), hard_negatives=hard_negatives, length_bias=length_bias
    )


def _lead(chosen: str, rejected: str) -> float:
    return preference.utility(PROBLEM, chosen) - preference.utility(PROBLEM, rejected)

"""Multiple choice: one letter, in a box or plainly stated, and no way to name two."""

import pytest

from tests.training.grading import graded
from workers.training.graders import choice

ROW: dict[str, object] = {"answer": "B", "options": ["A", "B", "C", "D"]}
BOXED = {**ROW, "mode": "boxed"}


@pytest.mark.parametrize(
    ("reference", "response"),
    [
        (ROW, "\\boxed{B}"),
        (ROW, "so it is $\\boxed{\\text{B}}$."),
        (ROW, "\\boxed{(B)}"),
        (ROW, "\\boxed{b}"),
        (ROW, "\\boxed{B. Paris}"),
        (ROW, "\\boxed{\\mathbf{B}}: see \\boxed{B}"),
        (ROW, "<think>\\boxed{A}?</think>\n\\boxed{B}"),
        (ROW, "B"),
        (ROW, "(B)"),
        (ROW, "B) Paris"),
        (ROW, "**B**"),
        (ROW, "The answer is (B)."),
        (ROW, "The answer is **B**."),
        (ROW, "The correct option is B: Paris"),
        (ROW, "A would be too small.\n\nFinal Answer: $B$"),
        (ROW, "Answer: A? No.\nAnswer: B"),
        (BOXED, "\\boxed{B}"),
        ({"answer": "Z"}, "\\boxed{Z}"),
        ({"answer": "B", "options": [{"A": "red"}, {"B": "blue"}]}, "\\boxed{B}"),
        ({"answer": "B", "options": {"A": "red", "B": "blue"}}, "\\boxed{B}"),
        ({**BOXED, "pattern": "Final Choice:\\s*([A-Z])"}, "Final choice: A? No.\nfinal choice: b"),
        ({**BOXED, "pattern": ["Pick (.)", "Take (.)"]}, "Take B, not A"),
        ({**BOXED, "pattern": "Pick (.)"}, "no pick, but \\boxed{B}"),
    ],
)
def test_right_answers(reference: dict[str, object], response: str) -> None:
    assert graded("choice", reference, response).value == 1.0


@pytest.mark.parametrize(
    ("reference", "response", "parts"),
    [
        (ROW, "\\boxed{C}", {"letter": "C"}),
        ({**ROW, "pattern": "Pick (.)"}, "Pick B. Or rather: pick C", {"letter": "C"}),
        ({**BOXED, "pattern": "Pick (.)"}, "Pick Z", {"reason": "no box"}),
        (ROW, "The answer is C, not B", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{A} \\boxed{B}", {"reason": "contradicting boxes"}),
        (ROW, "\\boxed{B}\n" * 50 + "\\boxed{C}", {"reason": "contradicting boxes"}),
        (ROW, "\\boxed{B} \\boxed{}", {"reason": "contradicting boxes"}),
        (ROW, "\\boxed{A, B}", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{A or B}", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{AB}", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{E}", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{В}", {"reason": "no single letter of an option"}),  # Cyrillic
        (ROW, "\\boxed{Ｂ}", {"reason": "no single letter of an option"}),  # full width
        (ROW, "\\boxed{ℬ}", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{B", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{Paris}", {"reason": "no single letter of an option"}),
        (ROW, "Because it is large", {"reason": "no single letter of an option"}),
        (ROW, "B is wrong", {"reason": "no single letter of an option"}),
        (ROW, "Answer: B\nor rather C", {"reason": "no single letter of an option"}),
        (ROW, "", {"reason": "no single letter of an option"}),
        (ROW, "<think>\\boxed{B}", {"reason": "no single letter of an option"}),
        (ROW, "\\boxed{" * 30_000, {"reason": "no single letter of an option"}),
        (ROW, "answer " * 30_000, {"reason": "no single letter of an option"}),
        (BOXED, "B", {"reason": "no box"}),
        (BOXED, "The answer is B.", {"reason": "no box"}),
    ],
)
def test_wrong_and_hostile_answers(reference: dict[str, object], response: str, parts: dict[str, str]) -> None:
    grade = graded("choice", reference, response)
    assert (grade.value, grade.parts) == (0.0, parts)


@pytest.mark.parametrize(
    "reference",
    [
        {},
        {"answer": "E", "options": ["A", "B"]},
        {"answer": "b", "options": ["A", "B"]},
        {"answer": "A", "options": ["A"]},
        {"answer": "A", "options": ["A", "A"]},
        {"answer": "A", "options": [["A"], "B"]},
        {"answer": "A", "mode": "loud"},
    ],
)
def test_a_row_that_cannot_be_graded_is_refused(reference: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        choice.check(reference)

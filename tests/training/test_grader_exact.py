"""Exact match: equal but for case, articles, punctuation and spaces, and for nothing that changes the meaning."""

import pytest

from tests.training.grading import graded
from workers.training.graders import exact


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ("The Nile", "the nile"),
        ("The Nile", "Nile."),
        ("Nile", "  A   Nile!\n"),
        ("Nile", "\\boxed{Nile}"),
        ("Nile", "It is long.\nAnswer: the Nile"),
        ("Nile", "The answer is **Nile**."),
        ("Nile", "<think>Amazon?</think>Nile"),
        ("Nile", "\\boxed{the Nile} or \\boxed{Nile.}"),
        ("café", "cafe\u0301"),
        ("straße", "STRASSE"),
        ("3.5", "3.5."),
        ("-5", "−5"),
        ("1,000", "1000"),
        ("1/2", "(1/2)"),
        ("12:30", "12:30."),
        ("C++", "c++"),
        ("well-known", "well-known"),
        ("Dr. No", "dr no"),
        ("Наука", "наука"),
        ("100%", "100%"),
        ("Nile", "N\u200bile?"),  # what cannot be seen
    ],
)
def test_equal_answers(answer: str, response: str) -> None:
    assert graded("exact", {"answer": answer}, response).value == 1.0


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ("Nile", "Amazon"),
        ("Nile", "Nile or Amazon"),
        ("Nile", "I think it is the Nile"),
        ("Nile", "The answer is Nile or Amazon"),
        ("Nile", "Nіle"),  # a Ukrainian і
        ("3.5", "35"),
        ("-5", "5"),
        ("5", "-5"),
        ("1/2", "12"),
        ("12:30", "1230"),
        ("C++", "C"),
        ("C#", "C"),
        ("100%", "100"),
        ("$5", "5"),
        ("1000", "1,00"),
        ("theatre", "atre"),
        ("10²", "102"),
    ],
)
def test_unequal_answers(answer: str, response: str) -> None:
    assert graded("exact", {"answer": answer}, response).value == 0.0


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "no answer"),
        ("The.", "no answer"),
        ("\\boxed{}", "no answer"),
        ("<think>Nile", "no answer"),
        ("\\boxed{Nile} \\boxed{Amazon}", "contradicting boxes"),
    ],
)
def test_no_answer_is_a_0_with_a_reason(response: str, reason: str) -> None:
    assert graded("exact", {"answer": "Nile"}, response).parts == {"reason": reason}


def test_any_of_the_answers_is_right_and_parts_tell_the_letter() -> None:
    reference = {"answers": ["The Nile", "Nile River"]}
    assert graded("exact", reference, "Nile River").parts == {"equal as written": 1.0}
    assert graded("exact", reference, "nile river").parts == {"equal as written": 0.0}
    assert graded("exact", reference, "nile river").value == 1.0


@pytest.mark.parametrize("reference", [{}, {"answer": ""}, {"answer": 5}, {"answers": []}, {"answers": ["x", "The!"]}])
def test_a_row_that_cannot_be_graded_is_refused(reference: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        exact.check(reference)

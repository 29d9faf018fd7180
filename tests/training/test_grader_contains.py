"""Questions on a long text: the expected texts stand in the answer as whole words, and the answer is short."""

import pytest

from tests.training.grading import graded
from workers.training.graders import contains

LISBON: dict[str, object] = {"answer": "Lisbon"}
BOTH: dict[str, object] = {"answers": ["17 March", "Lisbon"], "need": "all"}
EITHER: dict[str, object] = {"answers": ["17 March", "Lisbon"]}


@pytest.mark.parametrize(
    ("reference", "response"),
    [
        (LISBON, "Lisbon"),
        (LISBON, "They met in LISBON, the capital."),
        (LISBON, "They met in 'Lisbon'."),
        (LISBON, "<think>Porto</think>Lisbon"),
        (LISBON, "\\boxed{Lisbon}"),
        (EITHER, "in Lisbon"),
        (EITHER, "on 17 March"),
        (BOTH, "On 17 March, in Lisbon."),
        (BOTH, "Lisbon, on the 17 March"),
        ({"answer": "1,000"}, "about 1000 people"),
        ({"answer": "3.5"}, "it cost 3.5."),
        ({"answer": "北京"}, "他们在北京见面。"),
        ({"answer": "the Rock"}, "They saw a Rock."),
        ({"answer": "one two three", "max_words": 3}, "one two three"),
    ],
)
def test_right_answers(reference: dict[str, object], response: str) -> None:
    assert graded("contains", reference, response).value == 1.0


@pytest.mark.parametrize(
    ("reference", "response", "parts"),
    [
        (LISBON, "They met in Porto.", {"found": 0.0}),
        (LISBON, "The Lisboner went.", {"found": 0.0}),
        (LISBON, "Lisbоn", {"found": 0.0}),  # a Cyrillic о
        (LISBON, "Lis bon", {"found": 0.0}),
        (LISBON, "L\u0130SBON", {"found": 0.0}),
        ({"answer": "5"}, "15 or 50 or 5.5 or -5", {"found": 0.0}),
        ({"answer": "1000"}, "1,0000", {"found": 0.0}),
        ({"answer": "cat"}, "concatenate", {"found": 0.0}),
        (BOTH, "in Lisbon", {"found": 0.5}),
        (BOTH, "on March 17 in Lisbon", {"found": 0.5}),
        (BOTH, "", {"reason": "no answer"}),
        (LISBON, "<think>Lisbon", {"reason": "no answer"}),
        (LISBON, "word " * 200 + "Lisbon", {"reason": "longer than max_words"}),
        ({**LISBON, "max_words": 3}, "It is in Lisbon", {"reason": "longer than max_words"}),
        (LISBON, "\n" * 50_000, {"reason": "no answer"}),
        (LISBON, "Lisbon" * 50_000, {"found": 0.0}),
    ],
)
def test_wrong_and_hostile_answers(reference: dict[str, object], response: str, parts: dict[str, object]) -> None:
    grade = graded("contains", reference, response)
    assert (grade.value, grade.parts) == (0.0, parts)


@pytest.mark.parametrize(
    "reference",
    [
        {},
        {"answers": ["The"]},
        {"answer": "x", "need": "most"},
        {"answer": "x", "max_words": 0},
        {"answer": "x", "max_words": True},
        {"answer": "one two", "max_words": 1},
    ],
)
def test_a_row_that_cannot_be_graded_is_refused(reference: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        contains.check(reference)

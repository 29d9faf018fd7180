"""Two answers side by side."""

import pytest

from runs.drift.answers import Piece, mark_differences


def test_what_only_one_answer_has_is_marked() -> None:
    left, right = mark_differences("x*x+3", "x*x-3")
    assert left == [Piece("x*x", False), Piece("+", True), Piece("3", False)]
    assert right == [Piece("x*x", False), Piece("-", True), Piece("3", False)]


def test_long_answers_differ_by_words() -> None:
    words = "the sum of both numbers is clearly seen to be "
    left, right = mark_differences(words * 4 + "seven", words * 4 + "eleven")
    assert [piece.text for piece in left if piece.is_changed] == ["seven"]
    assert [piece.text for piece in right if piece.is_changed] == ["eleven"]


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("", "a"), ("a b", "b a"), ("é\n ü", "\tü"), ("x" * 500, "y " * 300)]
)
def test_the_pieces_are_the_answer(before: str, after: str) -> None:
    left, right = mark_differences(before, after)
    assert "".join(piece.text for piece in left) == before
    assert "".join(piece.text for piece in right) == after


def test_equal_answers_have_no_marks() -> None:
    left, right = mark_differences("same", "same")
    assert left == right == [Piece("same", False)]

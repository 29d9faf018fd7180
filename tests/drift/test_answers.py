"""Two answers side by side."""

import pytest

from runs.drift.answers import Graded, Piece, fault_in_words, mark_differences, name_fault


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


@pytest.mark.parametrize(
    ("value", "parts", "fault"),
    [
        (1.0, {}, "right"),
        (0.5, {"reason": "tie", "utility": 1.0}, "partly right"),
        (0.0, {}, "wrong"),
        (0.0, {"visible": 1.0, "hidden": 0.0}, "wrong"),
        (0.0, {"pair": 0.0, "reason": "a pair of another key"}, "wrong"),
        (0.0, {"reason": "not JSON"}, "malformed"),
        (0.0, {"parsed": 0.0, "reason": "not csv"}, "malformed"),
        (0.0, {"parsed": 1.0, "values": 0.0, "reason": "values"}, "wrong"),
        (0.0, {"reason": "SyntaxError"}, "malformed"),
        (0.0, {"reason": "does not parse"}, "malformed"),
        (0.0, {"reason": "ZeroDivisionError"}, "failed when run"),
        (0.0, {"reason": "ran longer than 2.0 s"}, "failed when run"),
    ],
)
def test_a_fault_is_named_by_what_the_grader_said(value: float, parts: dict, fault: str) -> None:
    assert name_fault(Graded(value, 5.0, False, 0, parts), {"samples_per_problem": 1}) == fault


@pytest.mark.parametrize(
    ("n_truncated", "n_tokens", "fault"),
    [(4, 16.0, "cut off"), (3, 16.0, "malformed"), (0, 16.0, "malformed"), (None, 16.0, "cut off"), (None, 15.5, "malformed")],
)  # fmt: skip
def test_cut_off_is_what_every_sample_was(n_truncated: int | None, n_tokens: float, fault: str) -> None:
    graded = Graded(0.0, n_tokens, False, n_truncated, {"reason": "not JSON"})
    assert name_fault(graded, {"samples_per_problem": 4, "max_response_tokens": 16}) == fault


def test_nothing_said_is_empty_even_where_it_was_cut_off() -> None:
    assert name_fault(Graded(0.0, 16.0, True, 1), {}) == "empty"


def test_a_graders_words_come_before_its_numbers() -> None:
    assert fault_in_words(Graded(0.0, 5.0, False, 0, {"f": 1.0, "a": 0.0, "reason": "keys"})) == "keys · f 1 · a 0"
    assert fault_in_words(Graded(0.0, 5.0, False)) == ""
    assert fault_in_words(Graded(1.0, 5.0, False, 0, {"f": 1.0})) == ""

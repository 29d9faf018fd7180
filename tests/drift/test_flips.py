"""Lost, gained and unchanged problems of a pair of checkpoints."""

from dataclasses import replace

import pytest

from runs.drift import ColumnInfo, RowInfo, ScoreMatrix, find_flips, rank_flips, score_cell


def test_flips_by_hand() -> None:
    before = score_cell("a", "if", [1, 1, 0, 0, 1])
    after = score_cell("b", "if", [0, 1, 1, 0, 0])
    found = find_flips(before, after)
    assert (found.lost, found.gained, found.unchanged) == ((0, 4), (2,), (1, 3))
    assert found.p_value == pytest.approx(1.0)  # 2 (1 + 3) / 2^3
    assert found.test == "McNemar exact"


def test_graded_items_flip_when_they_move() -> None:
    before, after = score_cell("a", "pref", [0.5, 0.5, 1.0, 0.0]), score_cell("b", "pref", [1.0, 0.0, 1.0, 0.5])
    found = find_flips(before, after)
    assert (found.lost, found.gained, found.unchanged) == ((1,), (0, 3), (2,))
    assert found.p_value == pytest.approx(1.0)  # +1 -1 +1 half points: no way to set three signs adds up to less than 1
    assert found.test == "paired permutation"


def test_every_item_is_counted_once() -> None:
    cells = [score_cell(name, "if", [(k * step) % 2 for k in range(50)]) for name, step in (("a", 1), ("b", 3))]
    found = find_flips(*cells)
    assert sorted(found.lost + found.gained + found.unchanged) == list(range(50))


def test_what_cannot_be_paired_has_a_reason() -> None:
    cell = score_cell("a", "if", [1, 0])
    assert find_flips(cell, replace(cell, column="code")).reason == "scores of two different benchmarks"
    assert find_flips(cell, replace(cell, protocol="greedy")).reason == "scored under another protocol"
    assert find_flips(cell, replace(cell, values=None)).reason == "no item results"


def _line(*rows: list[float], protocols: str = "") -> ScoreMatrix:
    """Build a line of checkpoints a, b, c ... on one benchmark."""
    names = "abcdefgh"[: len(rows)]
    infos = tuple(RowInfo(name, name, "grpo", parent=names[at - 1] if at else None) for at, name in enumerate(names))
    marks = protocols or "p" * len(rows)
    cells = {
        (name, "if"): score_cell(name, "if", row, protocol=mark)
        for name, row, mark in zip(names, rows, marks, strict=True)
    }
    return ScoreMatrix(infos, (ColumnInfo("if", "IF", "IF"),), cells)


def test_what_was_stable_for_longest_comes_first() -> None:
    #               item 0, 1, 2, 3
    matrix = _line([0, 1, 0, 0], [1, 1, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1])
    found = rank_flips(matrix, "if", "d", "e")
    assert [(flip.item, flip.is_lost, flip.streak) for flip in found] == [
        (1, True, 4),  # right at a, b, c, d
        (0, True, 1),  # right at d only: it comes and goes
        (2, False, 4),
        (3, False, 2),
    ]


def test_a_streak_ends_where_scores_are_not_comparable_or_missing() -> None:
    rows = ([1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0])
    assert [flip.streak for flip in rank_flips(_line(*rows, protocols="oppp"), "if", "c", "d")] == [2, 2]
    matrix = _line(*rows)
    without = replace(matrix, cells={key: cell for key, cell in matrix.cells.items() if key[0] != "b"})
    assert [flip.streak for flip in rank_flips(without, "if", "c", "d")] == [1, 1]


def test_a_streak_of_graded_items_counts_what_was_no_worse() -> None:
    matrix = _line([0.5, 0.25], [1.0, 0.5], [0.5, 0.5], [0.0, 0.25])
    assert [(flip.item, flip.streak) for flip in rank_flips(matrix, "if", "c", "d")] == [(0, 3), (1, 2)]


def test_nothing_is_ranked_without_both_scores() -> None:
    assert rank_flips(_line([1, 0], [0, 1]), "if", "a", "nowhere") == []

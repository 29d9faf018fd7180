"""Lost, gained and unchanged problems of a pair of checkpoints."""

from dataclasses import replace

import pytest

from runs.drift import find_flips, score_cell


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

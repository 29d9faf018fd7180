"""Which stage did a change, and what its thirds are."""

from dataclasses import replace

import pytest

from runs.drift.causes import decisive_row, thirds
from tests.drift.conftest import Build

TABLE = [
    ("base", "base", (), {"code": 0.2}),
    ("sft", "sft", ("code",), {"code": 0.6}),
    ("if_rl", "grpo", ("if",), {"code": 0.5}),
    ("swe", "grpo", ("swe",), {"code": 0.3}),
    ("mopd", "mopd", ("code",), {"code": 0.55}),
]


@pytest.mark.parametrize(
    ("before", "after", "decisive"),
    [
        ("if_rl", "swe", "swe"),
        ("sft", "mopd", "swe"),  # a loss from 60 to 55: the largest step down
        ("base", "mopd", "sft"),  # a gain from 20 to 55: the largest step up
        ("mopd", "sft", "sft"),  # against the line: there is nothing between
        ("nowhere", "swe", "swe"),
    ],
)
def test_the_largest_step_in_the_direction_of_the_change(build: Build, before: str, after: str, decisive: str) -> None:
    assert decisive_row(build(TABLE), "code", before, after).key == decisive


def test_a_stage_without_a_score_hands_its_step_to_the_next(build: Build) -> None:
    matrix = build(TABLE)
    without = replace(matrix, cells={key: cell for key, cell in matrix.cells.items() if key[0] != "swe"})
    assert decisive_row(without, "code", "sft", "mopd").key == "if_rl"
    assert decisive_row(without, "code", "if_rl", "mopd").key == "mopd"


def test_thirds_are_never_empty() -> None:
    assert thirds(9) == (3, 7)
    assert thirds(80) == (26, 55)
    assert thirds(2) == (1, 2)
    assert thirds(1) == (1, 1)

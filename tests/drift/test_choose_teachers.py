"""The best checkpoint of each domain teaches it."""

from dataclasses import replace

import pytest

from runs.drift import choose_teachers
from runs.drift.teachers import cheapest_teachers

CHAIN = [
    ("sft", "sft", ("if", "code"), {"if": 0.2, "code": 0.3}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.3}),
    ("code_rl", "grpo", ("code",), {"if": 0.6, "code": 0.7}),
    ("swe_rl", "grpo", ("swe",), {"if": 0.6, "code": 0.69}),
]


def test_best_row_per_domain(build) -> None:
    chosen = choose_teachers(build(CHAIN))
    assert {domain: choice.row for domain, choice in chosen.items()} == {"if": "if_rl", "code": "code_rl"}
    assert (chosen["if"].score, chosen["if"].margin) == (pytest.approx(0.8), pytest.approx(0.2))
    assert not chosen["if"].is_tie


def test_a_margin_within_noise_is_a_tie(build) -> None:
    choice = choose_teachers(build(CHAIN))["code"]
    assert (choice.runner_up, choice.margin) == ("swe_rl", pytest.approx(0.01))
    assert choice.is_tie


def test_the_earliest_of_equals_wins(build) -> None:
    chain = [*CHAIN[:3], ("swe_rl", "grpo", ("swe",), {"if": 0.8, "code": 0.7})]
    chosen = choose_teachers(build(chain))
    assert {domain: (choice.row, choice.is_tie) for domain, choice in chosen.items()} == {
        "if": ("if_rl", True),
        "code": ("code_rl", True),
    }


def test_only_candidates_are_chosen(build) -> None:
    chosen = choose_teachers(build(CHAIN), rows={"sft", "code_rl"})
    assert {choice.row for choice in chosen.values()} == {"code_rl"}
    assert choose_teachers(build(CHAIN), rows={"sft"})["if"].margin is None


def test_domains_without_scores_are_left_out(build) -> None:
    matrix = build(CHAIN)
    cells = {key: cell for key, cell in matrix.cells.items() if key[1] != "if"}
    assert set(choose_teachers(replace(matrix, cells=cells))) == {"code"}


def test_the_cheapest_set_is_as_good_within_noise(build) -> None:
    matrix = build(CHAIN)
    assert cheapest_teachers(matrix) == {"if": "if_rl", "code": "code_rl"}  # no one checkpoint is good at both
    both = [*CHAIN, ("mopd", "mopd", ("if", "code"), {"if": 0.79, "code": 0.69})]
    assert choose_teachers(build(both))["if"].row == "if_rl"
    assert cheapest_teachers(build(both)) == {"if": "mopd", "code": "mopd"}


def test_of_equally_small_sets_the_best_scores_win(build) -> None:
    chain = [
        ("a", "grpo", (), {"if": 0.8, "code": 0.3, "stem": 0.2}),
        ("b", "grpo", (), {"if": 0.2, "code": 0.7, "stem": 0.7}),
        ("c", "grpo", (), {"if": 0.2, "code": 0.71, "stem": 0.71}),
    ]
    assert cheapest_teachers(build(chain)) == {"if": "a", "code": "c", "stem": "c"}


def test_without_scores_there_is_no_set(build) -> None:
    assert cheapest_teachers(replace(build(CHAIN), cells={})) == {}

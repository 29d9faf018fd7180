"""Scores of another protocol, version or problems are never joined, and the break has a reason in words."""

from dataclasses import replace

import pytest

from runs.drift import (
    ScoreMatrix,
    break_words,
    choose_teachers,
    find_breaks,
    find_changes,
    score_cell,
    why_incomparable,
)

WARM = {"n_problems": 200, "temperature": 0.6}
CHAIN = [
    ("sft", "sft", ("if", "code"), {"if": 0.2, "code": 0.3}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.3}),
    ("code_rl", "grpo", ("code",), {"if": 0.6, "code": 0.7}),
]


def rescored(matrix: ScoreMatrix, row: str, **facts: object) -> ScoreMatrix:
    changed = {key: replace(cell, **facts) for key, cell in matrix.cells.items() if key == (row, "if")}  # type: ignore[arg-type]
    return replace(matrix, cells={**matrix.cells, **changed})


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"column": "code"}, "scores of two different benchmarks"),
        ({"version": "2"}, "scored on version 1, then on version 2"),
        ({"version": ""}, "scored on version 1, then on version unknown"),
        (
            {"protocol": "b", "settings": {**WARM, "temperature": 1.0}},
            "scored under another protocol: temperature 0.6, then 1.0",
        ),
        (
            {"protocol": "b", "settings": {"temperature": 0.6}},
            "scored under another protocol: n problems 200, then unset",
        ),
        ({"protocol": "b"}, "scored on other problems"),
        ({"protocol": "b", "settings": {}}, "scored under another protocol"),
        ({}, ""),
    ],
)
def test_what_differs_is_named(facts: dict[str, object], reason: str) -> None:
    cell = score_cell("sft", "if", [1.0, 0.0], protocol="a", version="1", settings=WARM)
    assert why_incomparable(cell, replace(cell, **facts)) == reason  # type: ignore[arg-type]


def test_a_published_mean_is_never_joined_with_a_measured_score() -> None:
    published = replace(score_cell("sft", "if", [1.0, 0.0], protocol="published"), values=None)
    assert (
        why_incomparable(published, score_cell("a", "if", [1.0, 0.0], protocol="f00"))
        == "scored under another protocol"
    )


def test_a_break_is_found_where_it_is(build) -> None:
    matrix = rescored(build(CHAIN), "code_rl", version="2")
    (found,) = find_breaks(matrix)
    assert (found.column, found.before, found.after) == ("if", "if_rl", "code_rl")
    assert break_words(matrix, found) == (
        "If: the line breaks between IF_RL and CODE_RL, scored on version unknown, then on version 2."
    )


def test_a_break_is_seen_across_a_row_without_a_score(build) -> None:
    matrix = rescored(build(CHAIN), "code_rl", protocol="b")
    cells = {key: cell for key, cell in matrix.cells.items() if key != ("if_rl", "if")}
    assert [found.before for found in find_breaks(replace(matrix, cells=cells))] == ["sft"]


def test_without_a_break_there_is_none(build) -> None:
    assert find_breaks(build(CHAIN)) == []


def test_the_peak_is_sought_among_comparable_scores(build) -> None:
    matrix = rescored(build(CHAIN), "if_rl", protocol="easier")
    change = find_changes(matrix, "peak")["code_rl", "if"]
    assert (change.reference, change.difference) == ("sft", pytest.approx(0.4))
    alone = find_changes(matrix, "peak")["if_rl", "if"]
    assert alone.reason == "all earlier scores are of another protocol, version or problems"


def test_no_teacher_is_chosen_across_a_break(build) -> None:
    matrix = rescored(build(CHAIN), "if_rl", protocol="easier")
    assert choose_teachers(matrix)["if"].row == "code_rl"

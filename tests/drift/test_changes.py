"""Each change knows its reference, its interval, whether it is noise, or why it is not there."""

from dataclasses import replace

import pytest

from runs.drift import RowInfo, find_changes, find_changes_against, holm, score_cell
from runs.drift.comparability import why_incomparable
from runs.drift.paired import compare

CHAIN = [
    ("sft", "sft", ("if", "code"), {"if": 0.2, "code": 0.3, "guard": 0.5}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.28, "guard": 0.5}),
    ("code_rl", "grpo", ("code",), {"if": 0.6, "code": 0.7, "guard": 0.4}),
    ("mopd", "mopd", ("if", "code"), {"if": 0.7, "code": 0.65, "guard": 0.4}),
]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("start", {"if": ("sft", 0.5), "code": ("sft", 0.35), "guard": ("sft", -0.1)}),
        ("previous", {"if": ("code_rl", 0.1), "code": ("code_rl", -0.05), "guard": ("code_rl", 0.0)}),
        ("peak", {"if": ("if_rl", -0.1), "code": ("code_rl", -0.05), "guard": ("sft", -0.1)}),
        ("own", {"if": ("if_rl", -0.1), "code": ("code_rl", -0.05), "guard": ("sft", -0.1)}),
    ],
)
def test_references(build, since: str, expected: dict[str, tuple[str, float]]) -> None:
    found = find_changes(build(CHAIN), since)
    for column, (reference, difference) in expected.items():
        assert found["mopd", column].reference == reference
        assert found["mopd", column].difference == pytest.approx(difference)


def test_previous_is_the_row_it_starts_from_not_the_row_above(build) -> None:
    matrix = build(CHAIN)
    rows = (*matrix.rows[:3], replace(matrix.rows[3], parent="if_rl"))
    found = find_changes(replace(matrix, rows=rows), "previous")["mopd", "if"]
    assert (found.reference, found.difference) == ("if_rl", pytest.approx(-0.1))


def test_a_branch_has_no_peak_beside_it(build) -> None:
    matrix = build(CHAIN)
    rows = (*matrix.rows[:2], replace(matrix.rows[2], parent="sft"))
    assert find_changes(replace(matrix, rows=rows), "peak")["code_rl", "if"].reference == "sft"


def test_small_changes_are_noise_and_large_ones_are_not(build) -> None:
    found = find_changes(build(CHAIN), "previous")
    assert found["if_rl", "if"].is_gain
    assert found["code_rl", "if"].is_loss
    assert not found["if_rl", "code"].is_significant  # 4 of 200 items
    assert found["if_rl", "code"].is_known


def test_holm_runs_over_the_row(build) -> None:
    matrix = build(CHAIN)
    row = [matrix.cells["code_rl", column.domain] for column in matrix.columns]
    before = [matrix.cells["if_rl", column.domain] for column in matrix.columns]
    expected = holm([compare(b.values, a.values).p_value for b, a in zip(before, row, strict=True)])
    found = find_changes(matrix, "previous")
    assert [found["code_rl", column.domain].adjusted_p for column in matrix.columns] == pytest.approx(expected)


def test_a_later_row_does_not_change_an_earlier_finding(build) -> None:
    short, whole = find_changes(build(CHAIN[:3]), "peak"), find_changes(build(CHAIN), "peak")
    assert all(whole[key] == change for key, change in short.items())


@pytest.mark.parametrize(
    ("since", "row", "reason"),
    [
        ("start", "sft", "this is the start"),
        ("previous", "sft", "starts from nothing that is scored"),
        ("peak", "sft", "first of its line"),
        ("own", "if_rl", "this is its own stage"),
    ],
)
def test_what_is_not_there_has_a_reason(build, since: str, row: str, reason: str) -> None:
    change = find_changes(build(CHAIN), since)[row, "if"]
    assert (change.difference, change.is_significant, change.reason) == (None, False, reason)


def test_before_its_own_stage(build) -> None:
    change = find_changes(build(CHAIN), "own")["if_rl", "code"]
    assert change.reason == "no stage before it trains the domain"


def test_missing_cells(build) -> None:
    matrix = build(CHAIN)
    cells = {key: cell for key, cell in matrix.cells.items() if key != ("if_rl", "code")}
    found = find_changes(replace(matrix, cells=cells), "previous")
    assert found["if_rl", "code"].reason == "not scored"
    assert found["code_rl", "code"].reason == "IF_RL is not scored"
    assert found["code_rl", "if"].difference is not None


def test_protocols_and_problem_sets_are_never_mixed(build) -> None:
    cell = build(CHAIN).cells["sft", "if"]
    assert why_incomparable(cell, replace(cell, protocol="greedy")) == "scored under another protocol"
    assert why_incomparable(cell, score_cell("sft", "if", [1.0, 0.0])) == "scored on 200 and on 2 problems"
    assert why_incomparable(cell, cell) == ""


def test_another_start_can_be_named(build) -> None:
    found = find_changes(build(CHAIN), "start", start="if_rl")
    assert found["sft", "if"].reason == "does not descend from the start"
    assert found["mopd", "if"].difference == pytest.approx(-0.1)


def test_any_row_can_be_the_reference(build) -> None:
    matrix = build(CHAIN)
    found = find_changes_against(matrix, "code_rl")
    assert (found["if_rl", "if"].reference, found["if_rl", "if"].difference) == ("code_rl", pytest.approx(0.2))
    assert found["code_rl", "if"].reason == "this is the reference"
    same = find_changes(matrix, "previous")
    assert all(found["mopd", column.domain] == same["mopd", column.domain] for column in matrix.columns)


def test_published_means_change_without_a_verdict(published) -> None:
    change = find_changes(published, "previous")["IF-RL", "preference"]
    assert change.difference == pytest.approx(-0.021)
    assert (change.is_known, change.is_significant) == (False, False)
    assert change.reason == "no item results, so noise is unknown"


def test_a_parent_that_is_no_row_is_nothing_to_compare_with(build) -> None:
    matrix = build(CHAIN[:1])
    rows = (RowInfo("sft", "SFT", "sft", ("if",), "base"),)
    assert find_changes(replace(matrix, rows=rows), "previous")["sft", "if"].difference is None

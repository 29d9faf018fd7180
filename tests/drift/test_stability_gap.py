"""How far a domain fell in the middle of a stage, and what came back by its end."""

from dataclasses import replace

import pytest

from runs.drift import ColumnInfo, RowInfo, ScoreMatrix, deepest_gaps, score_cell, stability_gap


def cell(right: int, *, n: int = 100):
    return score_cell("row", "if", [1.0] * right + [0.0] * (n - right))


def test_gap_by_hand() -> None:
    found = stability_gap(cell(80), {10: cell(70), 20: cell(50), 30: cell(72)}, cell(76))
    assert (found.step, found.depth, found.lasting) == (20, pytest.approx(0.3), pytest.approx(0.04))
    # 30 of 100 lost: 2 / 2^30, times 3 steps
    assert found.adjusted_p == pytest.approx(3 * 2 / 2**30)
    assert found.is_significant
    # 31/102 - 1/102 = 0.294118; half 1.959964 sqrt((32/102 - 0.086505) / 102) = 0.092507
    assert found.interval == pytest.approx((0.294118 - 0.092507, 0.294118 + 0.092507), abs=1e-5)


def test_a_dip_within_noise_is_no_gap() -> None:
    found = stability_gap(cell(80), {10: cell(79), 20: cell(80)}, cell(80))
    assert (found.depth, found.is_significant) == (pytest.approx(0.01), False)


def test_a_domain_that_only_rose_has_no_gap() -> None:
    found = stability_gap(cell(50), {10: cell(90)}, cell(95))
    assert (found.depth, found.is_significant) == (pytest.approx(-0.4), False)


def test_what_cannot_be_measured_has_a_reason() -> None:
    assert stability_gap(cell(80), {}, cell(80)).reason == "needs scores from the middle of the stage"
    other = replace(cell(10), protocol="fewer tokens")
    assert stability_gap(cell(80), {10: other}, cell(80)).reason == "scored under another protocol"
    bare = replace(cell(60), values=None)
    found = stability_gap(cell(80), {10: bare}, cell(80))
    assert (found.depth, found.adjusted_p) == (pytest.approx(0.2), None)
    assert found.reason == "no item results, so noise is unknown"


def test_steps_under_another_protocol_are_not_joined() -> None:
    found = stability_gap(cell(80), {10: cell(70), 20: replace(cell(0), protocol="other")}, cell(80))
    assert found.step == 10


def test_the_deepest_fall_of_each_domain_is_found_among_the_stages_of_its_line() -> None:
    rows = (
        RowInfo("warm", "warm", "sft", steps=40),
        RowInfo("a", "a", "grpo", parent="warm", steps=40),
        RowInfo("b", "b", "grpo", parent="a", steps=40),
        RowInfo("side", "side", "grpo", parent="warm", steps=40),
    )
    ends = {"warm": cell(80), "a": cell(78), "b": cell(70), "side": cell(60)}
    columns = tuple(ColumnInfo(domain, domain, domain) for domain in ("if", "code", "stem"))
    rows = (*rows[:1], rows[3], *rows[1:3])  # the last row stays b, which does not descend from the side branch
    cells = {(row, domain): found for row, found in ends.items() for domain in ("if", "code")}
    matrix = ScoreMatrix(rows, columns, cells)
    during = {("a", "if"): {20: cell(70)}, ("b", "if"): {10: cell(75), 20: cell(40)}, ("side", "if"): {20: cell(0)}}
    found = deepest_gaps(matrix, during)
    assert (found["if"].row, found["if"].step, found["if"].depth) == ("b", 20, pytest.approx(0.38))
    assert found["if"].lasting == pytest.approx(0.08)
    for domain in ("code", "stem"):
        assert found[domain].reason == "needs scores from the middle of a stage: set score_every of one"

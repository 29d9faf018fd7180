"""The stage that did most harm is the one that took most from all domains together, and noise never counts."""

import pytest

from runs.drift import find_harm, verdict

ALL = ("if", "code", "stem", "tools")
START = ("sft", "sft", ALL, {"if": 0.6, "code": 0.6, "stem": 0.6, "tools": 0.6})


def test_many_falls_weigh_more_than_the_largest_single_one(build) -> None:
    matrix = build(
        [
            START,
            ("one_deep", "grpo", ("if",), {"if": 0.9, "code": 0.4, "stem": 0.6, "tools": 0.6}),  # 20 points in all
            ("many", "grpo", ("code",), {"if": 0.78, "code": 0.9, "stem": 0.48, "tools": 0.48}),  # 3 x 12 = 36
        ]
    )
    worst, second = find_harm(matrix)
    assert (worst.row, second.row) == ("many", "one_deep")
    assert worst.total == pytest.approx(-0.36)
    assert second.total == pytest.approx(-0.2)
    assert "Stage MANY did most harm: 3 domains lost 36.0 points together, " in verdict(matrix)


def test_a_fall_within_noise_is_no_harm(build) -> None:
    noisy = [("noisy", "grpo", ("if",), {"if": 0.9, "code": 0.59, "stem": 0.59, "tools": 0.59})]  # 2 of 200 items each
    real = [("real", "grpo", ("code",), {"if": 0.8, "code": 0.9, "stem": 0.59, "tools": 0.59})]
    matrix = build([START, *noisy, *real])
    assert [harm.row for harm in find_harm(matrix)] == ["real"]
    assert find_harm(build([START, *noisy])) == []


def test_what_the_start_itself_cost_is_not_counted(build) -> None:
    base = ("base", "base", (), {"if": 0.9, "code": 0.9, "stem": 0.9, "tools": 0.9})
    later = ("rl", "grpo", ("if",), {"if": 0.9, "code": 0.4, "stem": 0.6, "tools": 0.6})
    assert [harm.row for harm in find_harm(build([base, START, later]))] == ["rl"]


def test_a_side_branch_did_no_harm_to_the_main_line(build) -> None:
    from dataclasses import replace

    matrix = build(
        [
            START,
            ("side", "grpo", ("tools",), {"if": 0.1, "code": 0.1, "stem": 0.1, "tools": 0.9}),
            ("main", "grpo", ("if",), {"if": 0.9, "code": 0.4, "stem": 0.6, "tools": 0.6}),
        ]
    )
    rows = tuple(replace(row, parent="sft") if row.key == "main" else row for row in matrix.rows)
    assert [harm.row for harm in find_harm(replace(matrix, rows=rows))] == ["main"]


def test_published_means_count_every_fall_and_say_so(published) -> None:
    harms = find_harm(published)
    # RLHF: IF 46.0 -> 37.3. IF-RL: preference -2.1, code -0.25. Math RL: preference -1.0.
    # Code RL: IF -1.85, math -1.25. SWE RL: code -0.7.
    assert [(harm.row, round(100 * harm.total, 2)) for harm in harms] == [
        ("RLHF", -8.7), ("Code RL", -3.1), ("IF-RL", -2.35), ("Math RL", -1.0), ("SWE RL", -0.7),
    ]  # fmt: skip
    assert not any(harm.is_known for harm in harms)


def test_nothing_scored_and_nothing_lost(build) -> None:
    from dataclasses import replace

    matrix = build([START])
    assert find_harm(matrix) == []
    assert find_harm(replace(matrix, cells={})) == []

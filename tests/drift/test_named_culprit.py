"""The verdict's words name the stage that hurt most, as numbers worked by hand and the bench's own reckoning have it."""

import numpy as np
import pytest

from bench.verdict import NOBODY, Leg, holm, items_below, legs_below, reckon, sign_test, stage_named
from runs.drift import ScoreMatrix, verdict

ALL = ("if", "code", "stem", "tools")
START = ("sft", "sft", ALL, {"if": 0.6, "code": 0.6, "stem": 0.6, "tools": 0.6})


def reckoned(matrix: ScoreMatrix) -> list[tuple[str, float]]:
    """Reckon a matrix anew from its items: stages and what they took, in points."""
    legs = [Leg(row.title, row.parent.upper() if row.parent else "", row.domains) for row in matrix.rows]
    items = {(key.upper(), domain): cell.values for (key, domain), cell in matrix.cells.items()}
    return [(stage, round(100 * sum(drops.values()), 1)) for stage, drops in reckon(legs, items)]


def test_one_clear_culprit(build) -> None:
    matrix = build(
        [
            START,
            ("first", "grpo", ("if",), {"if": 0.9, "code": 0.5, "stem": 0.6, "tools": 0.6}),  # code -10
            ("second", "grpo", ("code",), {"if": 0.5, "code": 0.9, "stem": 0.4, "tools": 0.6}),  # if -40, stem -20
            ("third", "grpo", ("stem",), {"if": 0.5, "code": 0.85, "stem": 0.9, "tools": 0.6}),  # code -5
        ]
    )
    assert stage_named(verdict(matrix)) == "SECOND"
    assert reckoned(matrix) == [("SECOND", -60.0), ("FIRST", -10.0), ("THIRD", -5.0)]


def test_of_two_close_ones_the_larger_sum_is_named(build) -> None:
    matrix = build(
        [
            START,
            ("deep", "grpo", ("if",), {"if": 0.9, "code": 0.4, "stem": 0.6, "tools": 0.6}),  # code -20
            ("broad", "grpo", ("code",), {"if": 0.9, "code": 0.9, "stem": 0.5, "tools": 0.49}),  # stem -10, tools -11
        ]
    )
    assert stage_named(verdict(matrix)) == "BROAD"
    assert reckoned(matrix) == [("BROAD", -21.0), ("DEEP", -20.0)]


def test_where_nothing_is_lost_nobody_is_named(build) -> None:
    noisy = ("rl", "grpo", ("if",), {"if": 0.9, "code": 0.59, "stem": 0.59, "tools": 0.6})  # 2 of 200 items each
    matrix = build([START, noisy])
    assert stage_named(verdict(matrix)) == NOBODY
    assert reckoned(matrix) == []


def test_a_domain_that_nothing_trained_before_is_no_loss_to_the_reckoning(build) -> None:
    start = ("sft", "sft", ("if",), {"if": 0.6, "code": 0.6})
    matrix = build([start, ("rl", "grpo", ("if",), {"if": 0.9, "code": 0.3})])
    assert reckoned(matrix) == []


def test_the_reckonings_own_statistics() -> None:
    # 1 fell, 5 rose: 2 (1 + 6) / 2^6 = 0.21875. Three p-values: 3 x 0.01, 2 x 0.03, then no less than that.
    assert sign_test(np.array([-1.0, 1, 1, 1, 1, 1, 0])) == pytest.approx(0.21875)
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])


def test_folders_are_read_along_the_line_to_the_closing_stage(tmp_path) -> None:
    for name, start in (("sft", ""), ("rl", "sft"), ("mopd_final", "rl"), ("grpo_30", "rl")):
        scored = tmp_path / name / "scoring" / "step_000010"
        scored.mkdir(parents=True)
        from_folder = f'"{tmp_path}/{start}/checkpoints/step_000010"' if start else "null"
        spec = f'{{"start_folder": {from_folder}, "stage": {{"domains": {{"if": 1.0}}}}}}'
        (tmp_path / name / "spec.json").write_text(spec)
        splits = "\n".join(
            f'{{"domain": "if", "split": "{split}", "items": [{{"value": {value}}}]}}'
            for split, value in (("validation", 0), ("test", 1))
        )
        (scored / "scores.jsonl").write_text(splits)
    legs = legs_below(tmp_path)
    assert [(leg.name, leg.start) for leg in legs] == [("sft", ""), ("rl", "sft"), ("mopd_final", "rl")]
    assert {key: list(values) for key, values in items_below(tmp_path, legs).items()} == {
        ("sft", "if"): [1],
        ("rl", "if"): [1],
        ("mopd_final", "if"): [1],
    }

"""Two runs held against each other."""

from dataclasses import replace

import pytest

from runs.drift import score_cell
from runs.drift.across import align_rows, compare_ends, compare_runs
from runs.plots import overlay_curves
from tests.drift.conftest import Build

OURS = [("base", "base", (), {"if": 0.2}), ("sft", "sft", ("if",), {"if": 0.5}), ("rl", "grpo", ("if",), {"if": 0.8})]
THEIRS = [*OURS[:2], ("other", "grpo", ("if",), {"if": 0.6})]


def test_rows_of_one_name_are_compared_item_by_item(build: Build) -> None:
    ours = build([*OURS[:1], ("sft", "sft", ("if",), {"if": 0.3}), OURS[2]])
    changes = compare_runs(build(THEIRS), ours)
    assert set(changes) == {("base", "if"), ("sft", "if")}
    assert changes["sft", "if"].difference == pytest.approx(-0.2)
    assert changes["sft", "if"].is_loss
    assert changes["base", "if"].difference == 0
    assert not changes["base", "if"].is_significant


def test_the_last_checkpoints_are_compared_whatever_their_names(build: Build) -> None:
    (change,) = compare_ends(build(THEIRS), build(OURS))
    assert (change.row, change.reference) == ("rl", "other")
    assert change.difference == pytest.approx(0.2)
    assert change.is_gain


def test_swapping_the_runs_swaps_the_sign(build: Build) -> None:
    (one,), (other,) = compare_ends(build(THEIRS), build(OURS)), compare_ends(build(OURS), build(THEIRS))
    assert one.difference == pytest.approx(-(other.difference or 0))
    assert one.p_value == other.p_value


def test_other_problems_are_refused_with_the_reason(build: Build) -> None:
    ours = build(OURS)
    cells = {**ours.cells, ("rl", "if"): score_cell("rl", "if", [1, 0], version="2")}
    (change,) = compare_ends(build(THEIRS), replace(ours, cells=cells))
    assert change.difference is None
    assert "version" in change.reason


def test_what_is_not_scored_says_so(build: Build) -> None:
    ours = build(OURS)
    missing = replace(ours, cells={key: cell for key, cell in ours.cells.items() if key[0] != "sft"})
    assert compare_runs(build(THEIRS), missing)["sft", "if"].reason == "not scored"
    assert compare_runs(missing, build(THEIRS))["sft", "if"].reason == "not scored in the baseline"
    assert compare_ends(replace(ours, cells={}), ours) == []


def test_rows_are_aligned_by_name_in_the_order_of_the_runs(build: Build) -> None:
    longer = build([*OURS[:2], ("warm", "grpo", (), {"if": 0.5}), OURS[2], ("mopd", "mopd", (), {"if": 0.8})])
    assert align_rows([build(OURS), longer]) == ["base", "sft", "warm", "rl", "mopd"]
    assert align_rows([]) == []


def test_the_overlay_has_a_line_per_run_and_panel(build: Build) -> None:
    panels = overlay_curves([("one", build(OURS)), ("two", build(THEIRS))], baseline=1, columns=1, theme="dark")
    assert [[trace.name for trace in panel.data] for panel in panels] == [
        ["one", "two"]
    ] * 2  # the mean, and one domain
    ours, theirs = panels[0].data
    assert list(ours.x) == [0, 1, 3]  # 'other', which follows sft in the second run, stands between
    assert theirs.line.width > ours.line.width
    assert not any(panel.data for panel in overlay_curves([]))


def test_stages_in_another_order_are_points_without_a_line(build: Build) -> None:
    swapped = build([OURS[0], OURS[2], OURS[1]])
    panels = overlay_curves([("one", build(OURS)), ("two", swapped)])
    modes = [[trace.mode for trace in panel.data] for panel in panels]
    assert modes == [["lines+markers", "markers"]] * 2  # the mean and one domain

"""What holds for every cascade: order of items is nothing, equal checkpoints show no drift, nothing is ever NaN."""

import math
from dataclasses import fields, is_dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.drift import (
    SINCE,
    ColumnInfo,
    RowInfo,
    ScoreMatrix,
    compare,
    detectable_changes,
    effort_to_decide,
    find_changes,
    find_changes_against,
    find_flips,
    gap_closed,
    score_cell,
    summarize,
)
from runs.drift.families import CORRECTIONS
from runs.drift.intervals import mean_interval

ROWS = (
    RowInfo("sft", "SFT", "sft", ("d0", "d1")),
    RowInfo("rl0", "RL 0", "grpo", ("d0",), "sft"),
    RowInfo("rl1", "RL 1", "grpo", ("d1",), "rl0"),
    RowInfo("mopd", "MOPD", "mopd", ("d0", "d1"), "rl1"),
)
COLUMNS = (ColumnInfo("d0", "D0", "d0"), ColumnInfo("d1", "D1", "d1"))
TEACHERS = {"d0": "rl0", "d1": "rl1"}


def items(k: int, n: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.integers(0, k).map(lambda right: right / k), min_size=n, max_size=n)


@st.composite
def matrices(draw: st.DrawFn) -> ScoreMatrix:
    n, k = draw(st.integers(1, 12)), draw(st.sampled_from([1, 2, 4]))
    cells = {
        (row.key, column.domain): score_cell(row.key, column.domain, draw(items(k, n)), samples=k)
        for row in ROWS
        for column in COLUMNS
    }
    return ScoreMatrix(ROWS, COLUMNS, cells)


def reordered(matrix: ScoreMatrix, seed: int) -> ScoreMatrix:
    def shuffled(values):
        return values[np.random.default_rng(seed).permutation(len(values))]

    cells = {key: score_cell(*key, shuffled(cell.values), samples=cell.samples) for key, cell in matrix.cells.items()}
    return replace(matrix, cells=cells)


def numbers(found: object) -> list[object]:
    """Flatten an answer to its numbers and words, so that two can be held against each other."""
    if is_dataclass(found):
        return [leaf for f in fields(found) if f.name != "values" for leaf in numbers(getattr(found, f.name))]
    if isinstance(found, dict):
        return [leaf for value in found.values() for leaf in numbers(value)]
    if isinstance(found, list | tuple):
        return [leaf for value in found for leaf in numbers(value)]
    return [round(found, 9) + 0.0 if isinstance(found, float) else found]


def everything(matrix: ScoreMatrix) -> list[object]:
    changes = [find_changes(matrix, since) for since in SINCE]
    effort = effort_to_decide(matrix.cells["rl0", "d0"], matrix.cells["mopd", "d0"])
    return numbers(
        [
            changes,
            find_changes_against(matrix, "rl1"),
            summarize(matrix),
            gap_closed(matrix, TEACHERS),
            detectable_changes(matrix),
            effort,
        ]
    )


@settings(deadline=None, max_examples=60)
@given(matrices(), st.integers(0, 99))
def test_the_order_of_items_changes_nothing(matrix: ScoreMatrix, seed: int) -> None:
    assert everything(reordered(matrix, seed)) == everything(matrix)


@settings(deadline=None, max_examples=60)
@given(matrices())
def test_no_number_is_nan_or_without_bound(matrix: ScoreMatrix) -> None:
    assert all(math.isfinite(leaf) for leaf in everything(matrix) if isinstance(leaf, float))


@settings(deadline=None, max_examples=60)
@given(matrices())
def test_what_is_missing_says_why(matrix: ScoreMatrix) -> None:
    found = summarize(matrix)
    measures = [found.average, found.backward_transfer, found.forgetting, found.forward_transfer, found.retention]
    for measure in [*measures, gap_closed(matrix, TEACHERS)]:
        assert (measure.value is None) == bool(measure.reason)
        assert measure.value is None or (measure.interval is None) == bool(measure.why_no_interval)
    changes = [change for since in SINCE for change in find_changes(matrix, since).values()]
    assert all((change.difference is None) == bool(change.reason) for change in changes)


@settings(deadline=None, max_examples=60)
@given(items(4, 20), items(4, 20))
def test_equal_checkpoints_show_no_drift(first: list[float], second: list[float]) -> None:
    values = {"d0": first, "d1": second}
    cells = {(row.key, c.domain): score_cell(row.key, c.domain, values[c.domain]) for row in ROWS for c in COLUMNS}
    matrix = ScoreMatrix(ROWS, COLUMNS, cells)
    for since in SINCE:
        changes = find_changes(matrix, since).values()
        assert not any(change.is_significant or change.difference for change in changes)
        assert all(c.interval is None or c.interval[0] < 0 < c.interval[1] for c in changes)
    found = summarize(matrix)
    assert (found.backward_transfer.value, found.forgetting.value, found.forward_transfer.value) == (0, 0, 0)
    assert found.worst_drop.reason == "no domain fell over any stage"
    flips = find_flips(matrix.cells["sft", "d0"], matrix.cells["mopd", "d0"])
    assert (flips.lost, flips.gained, flips.p_value) == ((), (), 1.0)


@settings(deadline=None)
@given(st.integers(1, 8).flatmap(lambda k: st.tuples(items(k, 15), items(k, 15))))
def test_comparisons_are_antisymmetric_and_within_bounds(pair: tuple[list[float], list[float]]) -> None:
    forth, back = (compare(np.array(a), np.array(b)) for a, b in (pair, pair[::-1]))
    assert math.isclose(forth.difference, -back.difference, abs_tol=1e-12)
    assert math.isclose(forth.p_value, back.p_value, abs_tol=1e-12)
    assert 0 < forth.p_value <= 1
    assert -1 <= forth.interval[0] <= forth.interval[1] <= 1


@settings(deadline=None)
@given(st.integers(1, 8).flatmap(lambda k: items(k, 15)))
def test_a_score_lies_in_its_interval(values: list[float]) -> None:
    low, high = mean_interval(np.array(values))
    assert 0 <= low - 1e-12 <= np.mean(values) <= high + 1e-12 <= 1 + 2e-12 or low == 0


@given(st.lists(st.floats(0, 1), max_size=30))
def test_corrections_never_make_a_finding_and_keep_the_order(p_values: list[float]) -> None:
    for adjust in CORRECTIONS.values():
        found = adjust(p_values)
        assert all(before <= after + 1e-12 and after <= 1 for before, after in zip(p_values, found, strict=True))
        ranked = [after for _, after in sorted(zip(p_values, found, strict=True))]
        assert ranked == sorted(ranked)

"""Thinning out a series: bounded, in order, and no peak lost."""

import random

import pytest

from runs.api.thinning import thin


def test_a_short_series_stays_as_it_is() -> None:
    assert thin([(1, 5.0), (2, 7.0), (3, 6.0)], 3, 4) == [(1, 5.0), (2, 7.0), (3, 6.0)]


def test_ends_and_extremes_stay() -> None:
    points = [(1, 5.0), (2, 9.0), (3, 1.0), (4, 5.0), (5, 6.0), (6, 7.0), (7, 2.0), (8, 5.0)]
    # 6 points allowed: two stretches of four. Low and high of each are (3, 1), (2, 9) and (7, 2), (6, 7); ends are 1 and 8.
    assert thin(points, 8, 6) == [(1, 5.0), (2, 9.0), (3, 1.0), (6, 7.0), (7, 2.0), (8, 5.0)]


@pytest.mark.parametrize("limit", [4, 5, 10, 99, 1000])
@pytest.mark.parametrize("n", [1, 5, 100, 1001, 12_345])
def test_any_series_is_bounded_ordered_and_keeps_its_extremes(n: int, limit: int) -> None:
    rng = random.Random(n)
    points = [(step * 3, rng.gauss(0, 1)) for step in range(n)]
    kept = thin(iter(points), n, limit)
    assert len(kept) <= limit
    assert kept == sorted(set(kept) & set(points))
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    for extreme in (min, max):
        assert extreme(value for _, value in kept) == extreme(value for _, value in points)


def test_points_written_while_it_reads_are_taken_too() -> None:
    points = [(step, float(step)) for step in range(120)]
    kept = thin(points, 100, 10)
    assert kept[-1] == (119, 119.0)
    assert len(kept) <= 10

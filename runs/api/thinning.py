"""Thin out a long series to what a chart can show: pure, and in memory only what is kept."""

from collections.abc import Iterable
from itertools import groupby

Point = tuple[int, float]  # step, value


def thin(points: Iterable[Point], n: int, limit: int) -> list[Point]:
    """Keep at most `limit` (4 or more) of `n` points: the first and last, and the lowest and highest of each stretch.

    Stretches hold equally many points, so the same points always give the same answer.
    """
    if n <= limit:
        return list(points)
    n_stretches = (limit - 2) // 2
    kept: dict[int, float] = {}
    stretch: list[Point] = []
    # More than n points, where a trainer wrote some since they were counted, go to the last stretch.
    for _, numbered in groupby(enumerate(points), lambda pair: min(pair[0] * n_stretches // n, n_stretches - 1)):
        stretch = [point for _, point in numbered]
        if not kept:
            kept.update(stretch[:1])
        kept.update([min(stretch, key=_value), max(stretch, key=_value)])
    kept.update(stretch[-1:])
    return sorted(kept.items())


def _value(point: Point) -> float:
    return point[1]

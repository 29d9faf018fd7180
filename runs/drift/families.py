"""Many tests at once: of 288 cells without any change, 14 would be below 0.05 by luck alone.

Holm bounds the chance of even one false finding in the family; Benjamini and Hochberg bound the share of false ones
among the findings, and so find more. Both keep the order of what they are given.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

Correction = Literal["holm", "bh"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for the chance of any false finding (Holm 1979, Scand. J. Statist. 6, p. 65).

    The i-th smallest of m becomes the largest of (m - j + 1) p_j over j <= i, at most 1.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for the expected share of false findings (Benjamini and Hochberg 1995, JRSS B 57, p. 289).

    The i-th smallest of m becomes the smallest of m p_j / j over j >= i, at most 1.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, ceiling = [0.0] * len(p_values), 1.0
    for rank, index in reversed(list(enumerate(order))):
        ceiling = min(ceiling, len(p_values) * p_values[index] / (rank + 1))
        adjusted[index] = ceiling
    return adjusted


CORRECTIONS: Mapping[Correction, Callable[[Sequence[float]], list[float]]] = {"holm": holm, "bh": benjamini_hochberg}

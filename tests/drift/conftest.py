"""Matrices to measure: a small one with item results, and the published one of Nemotron-Cascade 8B."""

from collections.abc import Callable

import numpy as np
import pytest

from runs.drift import ColumnInfo, RowInfo, ScoreCell, ScoreMatrix, score_cell

Build = Callable[..., ScoreMatrix]

# arXiv 2512.13607, 8B unified model. Columns: ArenaHard, IFEval, IFBench, AIME24, AIME25, LCB v5, LCB v6, SWE-V.
PUBLISHED = {
    "SFT": (70.0, 70.8, 21.2, 83.6, 72.8, 59.2, 56.7, 26.1),
    "RLHF": (90.1, 50.1, 24.5, 86.1, 75.0, 70.2, 67.2, 28.2),
    "IF-RL": (88.0, 90.4, 40.5, 86.2, 75.2, 70.2, 66.7, 28.3),
    "Math RL": (87.0, 92.1, 40.4, 90.2, 81.9, 70.6, 67.4, 30.6),
    "Code RL": (87.8, 90.7, 38.1, 89.1, 80.5, 75.3, 71.5, 31.6),
    "SWE RL": (87.9, 90.2, 40.8, 89.5, 80.1, 74.3, 71.1, 37.2),
}
TRAINS = {
    "RLHF": "preference",
    "IF-RL": "instructions",
    "Math RL": "math",
    "Code RL": "coding",
    "SWE RL": "engineering",
}


def items(mean: float, n: int, *, shift: int = 0) -> list[float]:
    """Make n right or wrong items with a mean, the right ones first, rotated by `shift`."""
    right = round(mean * n)
    return list(np.roll(np.array([1.0] * right + [0.0] * (n - right)), shift))


@pytest.fixture
def build() -> Build:
    """Build a matrix of right and wrong items from a table of shares: build([(key, kind, domains, {domain: share}), ...])."""

    def make(table: list[tuple[str, str, tuple[str, ...], dict[str, float]]], *, n: int = 200) -> ScoreMatrix:
        rows, cells, parent = [], {}, None
        for key, kind, domains, shares in table:
            rows.append(RowInfo(key, key.upper(), kind, domains, parent))  # type: ignore[arg-type]
            cells |= {(key, domain): score_cell(key, domain, items(share, n)) for domain, share in shares.items()}
            parent = key
        names = list(dict.fromkeys(domain for *_, shares in table for domain in shares))
        return ScoreMatrix(tuple(rows), tuple(ColumnInfo(name, name.capitalize(), name[:4]) for name in names), cells)

    return make


@pytest.fixture
def published() -> ScoreMatrix:
    """Return the published scores with a domain's score being the mean of its benchmarks, as the worked example has it."""
    means = {row: (s[0], (s[1] + s[2]) / 2, (s[3] + s[4]) / 2, (s[5] + s[6]) / 2, s[7]) for row, s in PUBLISHED.items()}
    domains = list(TRAINS.values())
    rows = [RowInfo("SFT", "SFT", "sft", tuple(domains))]
    for name, domain in TRAINS.items():
        rows.append(RowInfo(name, name, "grpo", (domain,), rows[-1].key))
    cells = {
        (row, domain): ScoreCell(row, domain, score / 100)
        for row, scores in means.items()
        for domain, score in zip(domains, scores, strict=True)
    }
    return ScoreMatrix(tuple(rows), tuple(ColumnInfo(name, name, name[:4]) for name in domains), cells)

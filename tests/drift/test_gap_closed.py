"""The part of the way to its teacher that each domain has come, on published numbers and on items."""

import numpy as np
import pytest

from runs.drift import ColumnInfo, RowInfo, ScoreCell, ScoreMatrix, gap_closed

# arXiv 2606.30406, Qwen3-30B-A3B: AIME25, AIME26, IFBench, IFEval, SWE-V
PUBLISHED = {
    "sft": (45.42, 54.48, 42.69, 84.17, 35.80),
    "teacher": (54.79, 63.65, 78.40, 95.50, 51.20),
    "mix": (52.71, 63.75, 75.00, 94.58, 48.80),
    "cascade": (48.54, 61.88, 77.11, 95.80, 47.80),
    "mopd": (51.46, 65.31, 77.89, 93.84, 50.40),
}
DOMAINS = ("math", "if", "swe")
TEACHERS = dict.fromkeys(DOMAINS, "teacher")


@pytest.fixture
def results() -> ScoreMatrix:
    rows = (RowInfo("sft", "SFT", "sft"), *(RowInfo(k, k, "grpo", (), "sft") for k in PUBLISHED if k != "sft"))
    means = {row: ((s[0] + s[1]) / 2, (s[2] + s[3]) / 2, s[4]) for row, s in PUBLISHED.items()}
    cells = {
        (row, domain): ScoreCell(row, domain, value / 100)
        for row, values in means.items()
        for domain, value in zip(DOMAINS, values, strict=True)
    }
    return ScoreMatrix(rows, tuple(ColumnInfo(name, name, name) for name in DOMAINS), cells)


@pytest.mark.parametrize(
    ("row", "expected"), [("sft", 0), ("teacher", 1), ("mix", 0.8818), ("cascade", 0.7752), ("mopd", 0.9373)]
)
def test_published_normalised_scores(results: ScoreMatrix, row: str, expected: float) -> None:
    assert gap_closed(results, TEACHERS, row=row).value == pytest.approx(expected, abs=5e-5)


def test_the_mean_hides_a_domain_that_is_named(results: ScoreMatrix) -> None:
    found = gap_closed(results, TEACHERS, row="cascade")
    assert found.worst == "math"
    assert found.parts["math"] == pytest.approx(5.26 / 9.27)
    assert (found.interval, found.why_no_interval) == (None, "no item results, so noise is unknown")


def test_interval_by_hand(build) -> None:
    # of 200 the start has 100, the teacher 160, the row 148: 48 of 60 come back; pull (gain - 0.8 gap) / 0.3 is 2/3 for 48
    # problems, -8/3 for 12, 0 for 140: mean 0, variance (48 * 4/9 + 12 * 64/9) / 199; half 1.959964 sqrt(0.536013 / 200)
    chain = [
        ("sft", "sft", ("if",), {"if": 0.5}),
        ("teacher", "grpo", ("if",), {"if": 0.8}),
        ("mopd", "mopd", ("if",), {"if": 0.74}),
    ]
    found = gap_closed(build(chain), {"if": "teacher"})
    assert found.value == pytest.approx(0.8)
    half = 1.959964 * np.sqrt((48 * 4 / 9 + 12 * 64 / 9) / 199 / 200)
    assert found.interval == pytest.approx((0.8 - half, 0.8 + half), abs=1e-6)


def test_a_gap_of_nothing_is_not_divided_by(build) -> None:
    chain = [("sft", "sft", ("if",), {"if": 0.5}), ("rl", "grpo", ("if",), {"if": 0.51})]
    found = gap_closed(build(chain), {"if": "rl"})
    assert found.value is None
    assert found.left_out == {"if": "its teacher is above the start by less than a point or no more than noise"}
    assert found.reason.startswith("needs a domain with a teacher above the start (if: ")

"""Scores of different metrics are never joined, and tests of luck do not take pass@k for a mean of answers."""

import numpy as np
import pytest

from runs.drift.changes import change_between
from runs.drift.comparability import why_incomparable
from runs.drift.intervals import mean_interval
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreCell, ScoreMatrix, score_cell
from runs.drift.paired import compare
from runs.drift.power import effort_to_decide
from runs.drift.top_up import plan_top_up
from workers.metrics import pass_at_k

N, K = 8, 4


def passed(row: str, right: list[int], *, metric: str = f"pass@{K}", samples: int = N) -> ScoreCell:
    values = [pass_at_k(samples, c, K) if metric.startswith("pass") else c / samples for c in right]
    settings = {"metric": metric} if metric else {}
    return score_cell(row, "code", values, protocol=metric, settings=settings, samples=samples)


RIGHT = [0, 1, 2, 8, 4, 0, 3, 1, 5, 0, 2, 2]
LATER = [0, 0, 1, 8, 2, 0, 3, 0, 5, 0, 1, 1]


@pytest.mark.parametrize(("one", "other", "words"), [
    ("", "pass@4", "metric avg, then pass@4"),
    ("pass@4", "pass@2", "metric pass@4, then pass@2"),
    ("exact", "", "metric exact, then avg"),
])  # fmt: skip
def test_other_metrics_are_not_compared(one: str, other: str, words: str) -> None:
    before = score_cell("a", "code", [0.5, 1.0], protocol="1", settings={"metric": one} if one else {"temperature": 1})
    after = score_cell(
        "b", "code", [0.5, 1.0], protocol="2", settings={"metric": other} if other else {"temperature": 1}
    )
    assert words in why_incomparable(before, after)


def test_a_metric_is_named() -> None:
    assert passed("a", RIGHT).metric == "pass@4 of 8"
    assert passed("a", RIGHT, metric="").metric == "avg@8"
    assert passed("a", RIGHT, metric="exact").metric == "exact match of 8"
    assert ScoreCell("a", "code", 0.5).metric == ""  # published


def test_pass_at_k_is_tested_as_one_number_per_problem() -> None:
    before, after = passed("a", RIGHT), passed("b", LATER, samples=N)
    assert (before.averaged, after.averaged, passed("a", RIGHT, metric="").averaged) == (1, 1, 8)
    matrix = ScoreMatrix(
        (RowInfo("a", "a", "sft"), RowInfo("b", "b", "grpo", parent="a")),
        (ColumnInfo("code", "Code", "Code"),),
        {("a", "code"): before, ("b", "code"): after},
    )
    change = change_between(matrix, "code", "a", "b")
    assert before.values is not None
    assert after.values is not None
    expected = compare(before.values, after.values)
    assert (change.difference, change.p_value) == (expected.difference, expected.p_value)
    assert change.difference == pytest.approx(float(np.mean(after.values - before.values)))


def test_unequal_answers_under_pass_at_k_are_no_exchange_of_answers() -> None:
    before, after = passed("a", RIGHT), passed("b", [2 * c for c in LATER], samples=16)
    assert why_incomparable(before, after) == ""  # the estimate is unbiased whatever n
    assert before.values is not None
    assert after.values is not None
    assert "exchange" not in compare(before.values, after.values, k=(before.averaged, after.averaged)).test


def test_no_top_up_is_offered_where_its_luck_is_not_reckoned() -> None:
    before, after = passed("a", RIGHT), passed("b", LATER)
    assert (
        effort_to_decide(before, after).why_no_samples
        == "how far luck goes in pass@4 is not reckoned; more problems decide"
    )
    assert plan_top_up(before, after).reason == effort_to_decide(before, after).why_no_samples
    task = {"harness": "lm-eval 0.4.13", "metric": "acc"}
    cells = [score_cell(row, "arc", values, settings=task) for row, values in (("a", [0.0, 1.0]), ("b", [1.0, 1.0]))]
    assert plan_top_up(*cells).reason.startswith("the lm-evaluation-harness asks each document once")


def test_answers_of_several_seeds_are_clustered_by_problem() -> None:
    """Three seeds of two answers each make 12 results of 6 answers, never 72 results."""
    cell = passed("a", [min(6, c) for c in RIGHT], metric="", samples=6)
    assert cell.values is not None
    assert cell.interval == mean_interval(cell.values)
    assert cell.n == 12
    low, high = mean_interval(np.repeat([0.0, 1.0], [72 - 28, 28]).astype(float))
    assert cell.interval[1] - cell.interval[0] > high - low

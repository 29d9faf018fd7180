"""BWT, forgetting, intransigence, transfer, retention and averages, on published numbers worked by hand and on edge cases."""

from dataclasses import replace

import numpy as np
import pytest

from runs.drift import ColumnInfo, RowInfo, ScoreCell, ScoreMatrix, intransigence, score_cell, summarize
from runs.drift.retention import retention
from runs.drift.summary import worst_drop
from runs.drift.transfer import average, backward_transfer, forgetting, forward_transfer

SFT, IF, CODE = "sft", "if_rl", "code_rl"
REFERENCE = {"instructions": 180, "coding": 130}  # right of 200
CHAIN = [
    (SFT, "sft", ("instructions", "coding"), {"instructions": 0.2, "coding": 0.3}),
    (IF, "grpo", ("instructions",), {"instructions": 0.8, "coding": 0.25}),
    (CODE, "grpo", ("coding",), {"instructions": 0.6, "coding": 0.7}),
]


def test_published_cascade(published: ScoreMatrix) -> None:
    found = summarize(published)
    # mean of 87.9, (90.2+40.8)/2 = 65.5, 84.8, 72.7 and 37.2
    assert found.average.value == pytest.approx(0.6962)
    # RLHF 87.9-90.1, IF 65.5-65.45, math 84.8-86.05, code 72.7-73.4
    assert found.backward_transfer.value == pytest.approx(-0.01025)
    assert list(found.backward_transfer.parts.values()) == pytest.approx([-0.022, 0.0005, -0.0125, -0.007])
    # peaks after the start: 90.1, 66.25 (math RL), 86.05, 73.4; drops 2.2, 0.75, 1.25, 0.7
    assert found.forgetting.value == pytest.approx(0.01225)
    # IF 37.3-46, math 80.7-78.2, code 69-57.95, SWE 31.6-26.1
    assert found.forward_transfer.value == pytest.approx(0.025875)
    # 87.9/90.1, 65.5/65.45, 84.8/86.05, 72.7/73.4
    assert found.retention.value == pytest.approx((87.9 / 90.1 + 65.5 / 65.45 + 84.8 / 86.05 + 72.7 / 73.4) / 4)
    # instruction following 46 -> 37.3 over RLHF
    assert (found.worst_drop.row, found.worst_drop.column) == ("RLHF", "instructions")
    assert found.worst_drop.difference == pytest.approx(-0.087)


def test_published_means_claim_no_interval(published: ScoreMatrix) -> None:
    found = summarize(published)
    assert found.average.interval is None
    assert found.backward_transfer.interval is None
    assert not found.worst_drop.is_known


def test_one_stage_has_reasons_and_no_numbers(build) -> None:
    matrix = build(CHAIN[:1])
    assert average(matrix).value == pytest.approx(0.25)
    for measure in (backward_transfer, forgetting, forward_transfer, retention):
        assert measure(matrix).value is None
        assert measure(matrix).reason
    assert worst_drop(matrix).reason == "no domain fell over any stage"


def test_nothing_scored_has_reasons(build) -> None:
    matrix = replace(build(CHAIN), cells={})
    found = summarize(matrix)
    for measure in (found.average, found.backward_transfer, found.forgetting, found.forward_transfer, found.retention):
        assert (measure.value, measure.reason) == (None, "nothing is scored yet")
    assert found.worst_drop.reason == "nothing is scored yet"


def test_average_refuses_a_row_with_a_missing_score(build) -> None:
    matrix = build(CHAIN)
    cells = {key: cell for key, cell in matrix.cells.items() if key != (CODE, "coding")}
    assert average(replace(matrix, cells=cells)).reason == "codi not scored"


def test_backward_transfer_interval_by_hand(build) -> None:
    # one domain, 40 of 200 items lost: changes are -1 (40) and 0 (160), mean -0.2, variance 0.16 * 200/199
    # half = 1.959964 sqrt(0.160804 / 200) = 0.055575
    found = backward_transfer(build(CHAIN))
    assert found.value == pytest.approx(-0.2)
    assert found.interval == pytest.approx((-0.255575, -0.144425), abs=1e-5)


def test_mopd_is_nobodys_own_stage(build) -> None:
    closing = ("mopd", "mopd", ("instructions", "coding"), {"instructions": 0.75, "coding": 0.7})
    found = backward_transfer(build([*CHAIN, closing]))
    assert found.parts == pytest.approx({"instructions": -0.05, "coding": 0.0})


def test_start_competes_for_the_peak_only_on_request(build) -> None:
    chain = [
        (SFT, "sft", ("instructions", "coding"), {"instructions": 0.9, "coding": 0.3}),
        (IF, "grpo", ("instructions",), {"instructions": 0.8, "coding": 0.3}),
        (CODE, "grpo", ("coding",), {"instructions": 0.6, "coding": 0.7}),
    ]
    assert forgetting(build(chain)).value == pytest.approx(0.2)
    assert forgetting(build(chain), with_start=True).value == pytest.approx(0.3)


def test_a_domain_that_still_rises_forgets_less_than_nothing(build) -> None:
    rising = [*CHAIN[:2], (CODE, "grpo", ("coding",), {"instructions": 0.9, "coding": 0.7})]
    assert forgetting(build(rising)).value == pytest.approx(-0.1)


def test_a_side_branch_is_not_forgotten(build) -> None:
    matrix = build(CHAIN)
    side = RowInfo("side", "Side", "grpo", ("instructions",), SFT)
    rows = (*matrix.rows[:2], side, matrix.rows[2])
    cells = {**matrix.cells, ("side", "instructions"): ScoreCell("side", "instructions", 1.0)}
    assert forgetting(replace(matrix, rows=rows, cells=cells)).value == pytest.approx(0.2)


def test_scores_of_another_protocol_are_left_out(build) -> None:
    matrix = build(CHAIN)
    cells = {key: replace(cell, protocol="greedy" if key[0] == CODE else "") for key, cell in matrix.cells.items()}
    assert backward_transfer(replace(matrix, cells=cells)).value is None


def test_retention_above_chance(build) -> None:
    # (0.6 - 0.25) / (0.8 - 0.25)
    matrix = build(CHAIN)
    columns = tuple(replace(column, chance=0.25) for column in matrix.columns)
    assert retention(replace(matrix, columns=columns), above_chance=True).value == pytest.approx(0.35 / 0.55)
    assert retention(matrix).value == pytest.approx(0.75)


def test_base_model_before_sft_is_not_the_start(build) -> None:
    base = ("base", "base", (), {"instructions": 0.99, "coding": 0.99})
    matrix = build([base, *CHAIN])
    start = matrix.start_row()
    assert start is not None
    assert start.key == SFT
    assert forward_transfer(matrix).value == pytest.approx(-0.05)  # coding 0.25 after IF, 0.3 at SFT


def test_the_worst_domain_stands_beside_each_mean(published: ScoreMatrix) -> None:
    found = summarize(published)
    worst = [found.average, found.backward_transfer, found.forgetting, found.forward_transfer, found.retention]
    assert [measure.worst for measure in worst] == [
        "engineering",
        "preference",
        "preference",
        "instructions",
        "preference",
    ]


def test_domains_that_are_left_out_say_why(build) -> None:
    matrix = build([*CHAIN, ("swe_rl", "grpo", ("swe",), {"instructions": 0.6, "coding": 0.6})])
    cells = {key: cell for key, cell in matrix.cells.items() if key != (CODE, "coding")}
    found = backward_transfer(replace(matrix, cells=cells))
    assert found.parts == pytest.approx({"instructions": -0.2})
    assert found.left_out == {"coding": "CODE_RL is not scored"}
    easier = {key: replace(cell, version="2") if key[0] == CODE else cell for key, cell in matrix.cells.items()}
    assert backward_transfer(replace(matrix, cells=easier)).left_out == {
        "coding": "scored on version 2, then on version unknown"
    }


def test_forgetting_has_an_interval_where_other_problems_chose_the_best(build) -> None:
    matrix = build([*CHAIN[:2], (CODE, "grpo", ("coding",), {"instructions": 0.6, "coding": 0.7})])
    assert "read too high" in forgetting(matrix).why_no_interval
    found = forgetting(matrix, validation=matrix)
    assert found.value == pytest.approx(0.2)
    assert found.interval == pytest.approx((0.144425, 0.255575), abs=1e-5)


def test_intransigence_by_hand(build) -> None:
    # instructions 0.9 - 0.8, coding 0.65 - 0.7
    references = {name: score_cell("joint", name, [1.0] * n + [0.0] * (200 - n)) for name, n in REFERENCE.items()}
    found = intransigence(build(CHAIN), references)
    assert found.parts == pytest.approx({"instructions": 0.1, "coding": -0.05})
    assert (found.value, found.worst) == (pytest.approx(0.025), "instructions")
    # 20 of 200 differ by 1, 10 by -1: variances 0.09 * 200/199 and 0.0475 * 200/199
    half = 1.959964 * ((0.09 + 0.0475) / 199) ** 0.5 / 2
    assert found.interval == pytest.approx((0.025 - half, 0.025 + half), abs=1e-6)


def test_intransigence_needs_a_reference(build) -> None:
    found = intransigence(build(CHAIN), {})
    assert found.value is None
    assert found.left_out == {"instructions": "no reference model", "coding": "no reference model"}


def test_intervals_of_measures_cover_the_truth() -> None:
    random, hits = np.random.default_rng(29), {"average": 0, "backward_transfer": 0, "retention": 0}
    truth = {"average": 0.5, "backward_transfer": -0.1, "retention": (0.55 / 0.65 + 1) / 2}
    rows = (
        RowInfo("sft", "SFT", "sft"),
        RowInfo("a", "A", "grpo", ("x",), "sft"),
        RowInfo("b", "B", "grpo", ("y",), "a"),
    )
    columns = (ColumnInfo("x", "X", "x"), ColumnInfo("guard", "Guard", "g"))
    shares = {"sft": (0.4, 0.45), "a": (0.65, 0.45), "b": (0.55, 0.45)}
    for _ in range(1000):
        luck = random.uniform(size=(2, 150))  # one draw per problem, so that the checkpoints are correlated
        cells = {
            (row, c.domain): score_cell(
                row, c.domain, (0.6 * luck[at] + 0.4 * random.uniform(size=150) < cut).astype(float)
            )
            for row, levels in shares.items()
            for at, (c, level) in enumerate(zip(columns, levels, strict=True))
            for cut in (_cut(level),)
        }
        found = summarize(ScoreMatrix(rows, columns, cells))
        for name in hits:
            low, high = getattr(found, name).interval
            hits[name] += low <= truth[name] <= high
    assert all(930 <= hit <= 970 for hit in hits.values()), hits


def _cut(share: float) -> float:
    """Find what 0.6 U + 0.4 V, U and V uniform, is below with that probability, 1/3 to 2/3, where its density is 1 / 0.6."""
    return 0.2 + 0.6 * share

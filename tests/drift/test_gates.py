"""What a gate says of a checkpoint: which losses trip it, over which family they are corrected, and in which words."""

import pytest

from runs.drift.gates import ask_gate, finding_words, gate_words
from runs.drift.matrix import ColumnInfo, RowInfo, ScoreMatrix, score_cell
from workers.spec import GateSpec

ROWS = (
    RowInfo("base", "base", "base"),
    RowInfo("warm", "warm", "sft", ("if", "stem"), "base"),
    RowInfo("rl", "rl", "grpo", ("code",), "warm"),
)
TITLES = {"if": "Instruction following", "stem": "STEM", "code": "Code"}
COLUMNS = tuple(ColumnInfo(domain, title, domain) for domain, title in TITLES.items())


def matrix(**right: tuple[int, int, int]) -> ScoreMatrix:
    """Scores of 100 problems at base, warm and rl: the first so many are right."""
    cells = {
        (row.key, domain): score_cell(row.key, domain, [1.0] * n + [0.0] * (100 - n))
        for domain, numbers in right.items()
        for row, n in zip(ROWS, numbers, strict=True)
    }
    return ScoreMatrix(ROWS, COLUMNS, cells)


SCORES = matrix(**{"if": (20, 80, 74), "stem": (20, 80, 60), "code": (50, 50, 20)})


def lost(gate: GateSpec, row: str = "rl", scores: ScoreMatrix = SCORES) -> list[str]:
    return [change.column for change in ask_gate(scores, gate, row).lost]


def test_any_domain_is_one_that_an_earlier_stage_trained_corrected_over_those() -> None:
    finding = ask_gate(SCORES, GateSpec(), "rl")
    assert [change.column for change in finding.changes] == ["stem", "if"]  # not code, which this stage trains
    # 6 of 100 lost, none gained: 2 / 2^6 = 0.03125, the larger of two p-values stays as it is
    assert finding.changes[1].adjusted_p == pytest.approx(0.03125)
    assert [change.column for change in finding.lost] == ["stem", "if"]


def test_one_domain_is_a_family_of_its_own() -> None:
    finding = ask_gate(SCORES, GateSpec(domain="code"), "rl")
    assert finding.changes[0].adjusted_p == finding.changes[0].p_value
    assert lost(GateSpec(domain="code")) == ["code"]


def test_only_more_than_the_drop_trips() -> None:
    assert lost(GateSpec(drop=6.0)) == ["stem"]  # 6 points are not more than 6, whatever 0.80 - 0.74 is in binary
    assert lost(GateSpec(drop=5.9)) == ["stem", "if"]
    assert lost(GateSpec(drop=20.0)) == []


def test_noise_trips_only_a_gate_that_lets_it() -> None:
    scores = matrix(**{"if": (20, 80, 77)})  # 3 of 100 lost: p = 0.25
    assert lost(GateSpec(domain="if"), scores=scores) == []
    assert lost(GateSpec(domain="if", drop=2.0, significant=False), scores=scores) == ["if"]


def test_what_it_is_held_against() -> None:
    scores = matrix(**{"if": (90, 40, 35), "stem": (20, 80, 60)})
    assert lost(GateSpec(since="peak", domain="if"), scores=scores) == ["if"]
    found = ask_gate(scores, GateSpec(since="peak", domain="if"), "rl").changes[0]
    assert found.reference == "base"
    assert ask_gate(scores, GateSpec(since="start", domain="stem"), "rl").changes[0].reference == "warm"


def test_what_cannot_be_compared_trips_nothing_and_has_a_reason() -> None:
    finding = ask_gate(matrix(**{"if": (20, 80, 74)}), GateSpec(domain="stem"), "rl")
    assert not finding.is_tripped
    assert finding_words(SCORES, GateSpec(domain="stem"), finding, "rl") == "after rl, STEM: not scored"


def test_words() -> None:
    gate = GateSpec(after="rl", drop=5.0)
    assert gate_words(gate) == (
        "after rl, a domain that an earlier stage trained may not lose more than 5 points by more than noise since the checkpoint before"
    )
    assert gate_words(GateSpec(domain="stem", drop=2.5, significant=False, since="peak")) == (
        "after every stage, STEM may not lose more than 2.5 points since its best earlier score"
    )
    found = finding_words(SCORES, gate, ask_gate(SCORES, gate, "rl"), "rl")
    assert found.startswith("after rl, STEM changed by −20.0 [")
    assert "since warm, p < 0.001 over 2 domains and instruction following changed by −6.0 [" in found
    passed = GateSpec(domain="if", drop=50.0)
    assert finding_words(SCORES, passed, ask_gate(SCORES, passed, "rl"), "rl").startswith(
        "after rl, lowest: instruction"
    )

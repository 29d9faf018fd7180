"""Plasticity is the gain of each domain over its own stage."""

from dataclasses import replace

import pytest

from runs.drift.plasticity import plasticity
from runs.drift.summary import summarize

CHAIN = [
    ("sft", "sft", ("if", "code", "stem"), {"if": 0.2, "code": 0.3, "stem": 0.5}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.3, "stem": 0.5}),
    ("code_rl", "grpo", ("code",), {"if": 0.5, "code": 0.7, "stem": 0.48}),
    ("mopd", "mopd", ("if", "code"), {"if": 0.74, "code": 0.69, "stem": 0.48}),
]


def test_gains_of_own_stages_are_averaged(build) -> None:
    found = plasticity(build(CHAIN))
    # if: 0.2 -> 0.8; code: 0.3 -> 0.7; MOPD wins back and owns nothing; stem has no stage of its own
    assert found.parts == pytest.approx({"if": 0.6, "code": 0.4})
    assert found.value == pytest.approx(0.5)
    assert found.worst == "code"
    assert found.interval is not None
    assert found.interval[0] < 0.5 < found.interval[1]


def test_the_published_cascade(published) -> None:
    # 90.1 - 70.0, 65.45 - 37.3, 86.05 - 80.7, 73.4 - 69.0, 37.2 - 31.6
    assert plasticity(published).value == pytest.approx((20.1 + 28.15 + 5.35 + 4.4 + 5.6) / 500)
    assert plasticity(published).interval is None


def test_without_an_own_stage_or_a_score_there_is_a_reason(build) -> None:
    assert plasticity(build(CHAIN[:1])).reason.startswith("needs a domain with a stage of its own")
    matrix = build(CHAIN)
    assert plasticity(replace(matrix, cells={})).reason == "nothing is scored yet"
    cells = {key: cell for key, cell in matrix.cells.items() if key != ("if_rl", "code")}
    found = plasticity(replace(matrix, cells=cells))
    assert found.left_out == {"code": "what its own stage starts from is not scored"}
    assert summarize(replace(matrix, cells=cells)).plasticity == found

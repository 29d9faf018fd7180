"""Corrections for many tests, by hand and against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from runs.drift import benjamini_hochberg, correct, find_changes
from runs.drift.families import holm


def test_holm_by_hand() -> None:
    # sorted 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04 but never below the one before: 0.06
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])


def test_holm_agrees_with_statsmodels() -> None:
    p_values = list(np.random.default_rng(11).uniform(0, 0.4, 30))
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))
    assert holm([]) == []


def test_benjamini_hochberg_by_hand() -> None:
    # sorted 0.01 x 3/1 = 0.03, 0.03 x 3/2 = 0.045, 0.04 x 3/3 = 0.04; from the right never above the one after: 0.04
    assert benjamini_hochberg([0.04, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])


def test_benjamini_hochberg_agrees_with_statsmodels() -> None:
    p_values = list(np.random.default_rng(12).uniform(0, 0.4, 30))
    assert benjamini_hochberg(p_values) == pytest.approx(list(multipletests(p_values, method="fdr_bh")[1]))
    assert benjamini_hochberg([]) == []


CHAIN = [
    ("sft", "sft", ("if", "code"), {"if": 0.2, "code": 0.3}),
    ("if_rl", "grpo", ("if",), {"if": 0.8, "code": 0.26}),
    ("code_rl", "grpo", ("code",), {"if": 0.76, "code": 0.7}),
]


def test_the_whole_matrix_can_be_one_family(build) -> None:
    changes = find_changes(build(CHAIN), "previous")
    tested = [change for change in changes.values() if change.p_value is not None]
    found = correct(changes)
    assert [found[c.row, c.column].adjusted_p for c in tested] == pytest.approx(holm([c.p_value for c in tested]))
    assert set(found) == set(changes)


def test_rows_as_families_are_what_changes_come_with(build) -> None:
    changes = find_changes(build(CHAIN), "previous")
    assert correct(changes, family="row") == changes


def test_false_findings_as_a_share_find_no_less(build) -> None:
    changes = find_changes(build(CHAIN), "previous")
    strict, lenient = correct(changes), correct(changes, method="bh")
    assert all(lenient[key].adjusted_p <= strict[key].adjusted_p for key in strict if strict[key].is_known)

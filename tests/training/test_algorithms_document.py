"""docs/algorithms.md names every option of GRPO and MOPD, and every formula."""

import re
from pathlib import Path

import pytest

from workers.spec import GRPOSpec, MOPDSpec
from workers.training import loss

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "algorithms.md").read_text()
NAMED = set(re.findall(r"`([\w.]+)`", TEXT))


@pytest.mark.parametrize("spec", [GRPOSpec, MOPDSpec])
def test_every_option_is_named(spec: type[GRPOSpec] | type[MOPDSpec]) -> None:
    assert set(spec.model_fields) - NAMED == set()


def test_every_formula_is_named() -> None:
    formulas = {name for name, value in vars(loss).items() if getattr(value, "__module__", "") == loss.__name__}
    assert formulas - NAMED == {"sampled", "is_mixed"}  # picking tokens, and a comparison of equals

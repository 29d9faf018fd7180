"""Recipes as text: what YAML means here, and that nothing is lost on the way."""

import pytest

from runs.presets import load_preset, preset_names
from workers.recipe_text import dump_document, dump_recipe, load_recipe, read_document


@pytest.mark.parametrize("name", preset_names())
def test_presets_come_back_as_they_were(name: str) -> None:
    spec = load_preset(name)
    assert load_recipe(dump_recipe(spec)) == spec


def test_words_that_look_like_something_else_come_back_as_words() -> None:
    document = {
        name: name for name in ("on", "5e-4", "true", "null", "~", "010", "1:30", "2026-01-01", "é\n ü", "1_000", "")
    }
    document["numbers"] = [5e-4, 3e-6, 10, 1e22, True, None]  # type: ignore[assignment]
    assert read_document(dump_document(document))[0] == document


def test_numbers_are_read_as_people_write_them() -> None:
    assert read_document("[5e-4, 3e-06, .5, 1., 010, -2, +3]")[0] == [5e-4, 3e-6, 0.5, 1.0, 10, -2, 3]
    assert read_document("[on, yes, 1:30, 0x1F, 2026-01-01]")[0] == ["on", "yes", "1:30", "0x1F", "2026-01-01"]


def test_lines_lead_to_fields() -> None:
    _, lines = read_document("name: a\nstages:\n  - kind: sft\n    steps: 3\n  - kind: grpo\n")
    assert lines[("stages", 0, "steps")] == 4
    assert lines[("stages", 1)] == 5


def test_domains_keep_one_order_whatever_order_they_are_given_in() -> None:
    stage = "{kind: sft, name: s, steps: 5, learning_rate: 1e-3, domains: {tools: 1, stem: 2, instructions: 3}}"
    assert list(load_recipe(f"name: a\nstages: [{stage}]").stages[0].domains) == ["instructions", "stem", "tools"]

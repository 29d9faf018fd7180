"""Form fields come from the specs and from nowhere else."""

from typing import Any

import pytest

from runs.pages.form_fields import Problems, fields_of, hint_of, plain_settings, read_value, write_value
from workers.recipe_text import FieldProblem
from workers.spec import (
    BenchmarkSpec,
    FolderRewardSpec,
    GateSpec,
    GRPOSpec,
    JudgeRewardSpec,
    LoRASpec,
    MOPDSpec,
    RecipeSpec,
    RewardModelSpec,
    SFTSpec,
    TaskBenchmarkSpec,
    TinyModelSpec,
)

SPECS = (
    RecipeSpec, TinyModelSpec, SFTSpec, GRPOSpec, MOPDSpec, RewardModelSpec, FolderRewardSpec, JudgeRewardSpec, LoRASpec,
    BenchmarkSpec, TaskBenchmarkSpec, GateSpec,
)  # fmt: skip
DRAWN_BY_HAND = {
    "kind",
    "domains",
    "early_domains",
    "teachers",
    "reward_model",
    "lora",
    "model",
    "stages",
    "benchmarks",
    "gates",
    "data_sets",
}


@pytest.mark.parametrize("spec", SPECS)
def test_every_setting_has_a_control_and_says_what_it_is(spec: Any) -> None:
    fields = {field.name: field for field in fields_of(spec, {}, "", Problems([]))}
    assert set(fields) | DRAWN_BY_HAND >= set(spec.model_fields)
    assert all(field.about and field.hint for field in fields.values())


def test_hints_name_default_unit_range_and_source() -> None:
    settings = GRPOSpec.model_fields
    assert hint_of(settings["prompts_per_step"]) == "default 128 · prompts · 1 ≤ x ≤ 65,536 · C2 Tables 8-10"
    assert hint_of(settings["learning_rate"]) == "required · 0 < x ≤ 1 · C2 Tables 8-10"
    assert hint_of(settings["beta1"]) == "default 0.9 · 0 ≤ x < 1 · C2 Tables 8-10"
    assert hint_of(settings["dynamic_filtering"]) == "default drop · C2 §4.2: drop; DAPO (arXiv 2503.14476): replace"
    assert hint_of(settings["normalize_advantages"]) == "default on · C2 Eq. 1"
    assert "multiple of 2" in hint_of(TinyModelSpec.model_fields["head_size"])


@pytest.mark.parametrize("spec", SPECS)
def test_defaults_survive_a_round_trip_through_their_controls(spec: Any) -> None:
    for _, info in plain_settings(spec):
        if not info.is_required():
            default = info.get_default(call_default_factory=True)
            assert read_value(info, write_value(default)) == default


def test_a_choice_between_on_off_and_nothing_has_three_values() -> None:
    info = GRPOSpec.model_fields["thinking"]
    (field,) = [
        field for field in fields_of(GRPOSpec, {"thinking": False}, "", Problems([])) if field.name == "thinking"
    ]
    assert (field.kind, field.value, [value for value, _ in field.choices]) == ("choice", "off", ["", "on", "off"])
    for value in (None, True, False):
        assert read_value(info, write_value(value, is_optional=True)) is value
    assert read_value(info, "perhaps") == "perhaps"


@pytest.mark.parametrize("text", ["abc", "1.5", "1e3", "0x10", "nan", "9" * 60, "1 000"])
def test_what_is_no_whole_number_stays_as_it_was_typed(text: str) -> None:
    assert read_value(GRPOSpec.model_fields["steps"], text) == text


def test_numbers_are_read_in_any_usual_notation() -> None:
    rate, steps = GRPOSpec.model_fields["learning_rate"], GRPOSpec.model_fields["steps"]
    assert [read_value(rate, text) for text in ("5e-4", " .5 ", "1", "")] == [5e-4, 0.5, 1.0, None]
    assert [read_value(rate, text) for text in ("inf", "nan", "1e999")] == ["inf", "nan", "1e999"]
    assert read_value(steps, " 12 ") == 12


def test_a_problem_is_taken_once_by_its_field_or_by_what_holds_it() -> None:
    problem = FieldProblem(("stages", 1, "steps"), "too few", "rule")
    deeper = FieldProblem(("stages", 1, "surprise"), "unknown", "extra_forbidden")
    problems = Problems([problem, deeper])
    assert problems.at("stages.1.steps") == "too few"
    assert problems.within("stages.1") == "unknown"
    assert problems.summary == [("f-stages-1-steps", problem), ("f-stages-1", deeper)]
    assert problems.within("stages.10") == ""

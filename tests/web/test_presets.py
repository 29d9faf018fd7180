"""Recipes that ship with the product: the papers' numbers as published, and recipes that fit the tiny model."""

import pytest

from runs.presets import load_preset, preset_names, preset_text
from workers.spec import GRPOSpec, MOPDSpec, SFTSpec

# name: steps, prompts per step, rollouts per prompt, response tokens, temperature, top-p, overlong (C2 Tables 8-10, §4.8.1)
CASCADE_2 = {
    "if_rl": (180, 128, 16, 49_152, 1.0, 1.0, "penalize"),
    "multi_domain_rl": (70, 128, 16, 49_152, 1.0, 1.0, "mask"),
    "rlhf": (25, 128, 16, 16_384, 1.0, 1.0, "mask"),
    "long_context_rl": (30, 128, 16, 49_152, 1.0, 1.0, "mask"),
    "code_rl": (22, 128, 16, 118_000, 1.0, 0.95, "mask"),
    "swe_rl": (50, 128, 16, 98_304, 1.0, 1.0, "penalize"),
}


def test_the_one_that_runs_anywhere_comes_first() -> None:
    assert preset_names()[0] == "tiny-cascade"
    assert {"nemotron-cascade-1", "nemotron-cascade-2", "tiny-reward-hacking"} < set(preset_names())
    for name in preset_names():
        assert load_preset(name).name == name
        assert load_preset(name).description
    with pytest.raises(KeyError):
        preset_text("../__init__")


@pytest.mark.parametrize(("name", "published"), CASCADE_2.items())
def test_cascade_2_has_the_published_rl_stages(name: str, published: tuple[object, ...]) -> None:
    stage = load_preset("nemotron-cascade-2").stage(name)
    assert isinstance(stage, GRPOSpec)
    sizes = (stage.steps, stage.prompts_per_step, stage.rollouts_per_prompt, stage.max_response_tokens)
    assert (*sizes, stage.temperature, stage.top_p, stage.overlong) == published
    assert (stage.learning_rate, stage.beta1, stage.beta2) == (3e-6, 0.9, 0.95)
    assert stage.kl_coefficient == (0.03 if name == "rlhf" else 0.0)
    assert stage.loss_average == "token"


def test_cascade_2_has_the_published_order_sft_and_mopd() -> None:
    recipe = load_preset("nemotron-cascade-2")
    sft, mopd = recipe.stage("sft"), recipe.stage("mopd")
    assert isinstance(sft, SFTSpec)
    assert isinstance(mopd, MOPDSpec)
    assert (sft.steps, sft.batch_size, sft.learning_rate, sft.final_learning_rate) == (33_000, 64, 5e-5, 5e-6)
    assert (sft.warmup_steps, sft.schedule, sft.beta2, sft.weight_decay) == (200, "cosine", 0.98, 0.1)
    assert (mopd.steps, mopd.prompts_per_step, mopd.rollouts_per_prompt, mopd.warmup_steps) == (52, 128, 4, 30)
    assert (mopd.learning_rate, mopd.ratio_low, mopd.ratio_high) == (3e-6, 0.5, 2.0)
    starts = {stage.name: recipe.start_of(position) for position, stage in enumerate(recipe.stages)}
    assert starts["rlhf_teacher"] == "sft"
    assert starts["mopd"] == "multi_domain_rl"
    assert starts["rlhf"] == "mopd"
    teachers = {domain: mopd.teacher_of(domain) for domain in mopd.domains}
    assert (teachers.pop("stem"), teachers.pop("preference")) == ("sft", "rlhf_teacher")
    assert set(teachers.values()) == {"multi_domain_rl"}


def test_disagreements_of_the_paper_are_named_where_they_matter() -> None:
    text = preset_text("nemotron-cascade-2")
    for words in ("the text says 2e-6", "the text says 40-50", "the text says about 30", "the text says it does not"):
        assert words in text


def test_cascade_1_has_the_published_stages() -> None:
    recipe = load_preset("nemotron-cascade-1")
    assert [(stage.name, stage.steps) for stage in recipe.stages] == [
        ("sft_1", 20_000), ("sft_2", 32_000), ("rlhf", 800), ("if_rl_1", 2300), ("if_rl_2", 800), ("math_rl_1", 190),
        ("math_rl_2", 240), ("math_rl_3", 70), ("code_rl", 90), ("swe_rl_1", 30), ("swe_rl_2", 30),
    ]  # fmt: skip
    code, swe = recipe.stage("code_rl"), recipe.stage("swe_rl_1")
    assert isinstance(code, GRPOSpec)
    assert isinstance(swe, GRPOSpec)
    assert (code.learning_rate, code.prompts_per_step, code.rollouts_per_prompt) == (4e-6, 128, 8)
    assert (swe.learning_rate, swe.rollouts_per_prompt, swe.max_response_tokens) == (2.5e-6, 16, 16_384)
    assert not any(isinstance(stage, MOPDSpec) for stage in recipe.stages)


def test_reward_hacking_differs_from_the_healthy_recipe_in_its_reward_model() -> None:
    biased, healthy = load_preset("tiny-reward-hacking").stage("rlhf"), load_preset("tiny-cascade").stage("rlhf")
    assert isinstance(biased, GRPOSpec)
    assert isinstance(healthy, GRPOSpec)
    assert biased.reward_model is not None
    assert healthy.reward_model is not None
    assert (biased.reward_model.hard_negatives, biased.reward_model.length_bias) == (0.0, 0.25)
    assert healthy.reward_model.hard_negatives > 0

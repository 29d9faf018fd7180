"""Memory and time before launch: numbers worked by hand, what raises them, and what is refused."""

import json
from pathlib import Path

import pytest

from workers.estimate import (
    StageEstimate,
    TooLargeError,
    activation_bytes,
    cache_bytes,
    count_teachers,
    estimate_stage,
    refuse_if_too_large,
    step_seconds,
)
from workers.footprint import adapter_parameters
from workers.load import Range, load_of, sampling_flops, update_flops
from workers.model_shape import ModelShape, UnknownShapeError, shape_of
from workers.spec import FolderModelSpec, GRPOSpec, LoRASpec, MOPDSpec, SFTSpec, TinyModelSpec

SMALL = ModelShape(vocabulary=10, hidden=4, layers=1, heads=1, kv_heads=1, head_size=2, mlp=8, is_tied=True)
WIDE = ModelShape(vocabulary=1000, hidden=1024, layers=8, heads=8, kv_heads=8, head_size=128, mlp=4096, is_tied=False)
NONE = Range(0, 0, 0)
SFT = SFTSpec(name="sft", domains={"stem": 1}, steps=10, batch_size=2, learning_rate=1e-3)
GRPO = GRPOSpec(
    name="rl", domains={"stem": 1}, steps=10, prompts_per_step=2, rollouts_per_prompt=3, max_response_tokens=8,
    learning_rate=1e-3,
)  # fmt: skip


def test_parameters_by_hand():
    assert SMALL.block_parameters == 128  # 4 x (2 + 2 + 2) + 2 x 4 of attention, 3 x 4 x 8 of the rest
    assert SMALL.parameters == 128 + 40 + 12 + 4  # embedding, norms of the block (4 + 4 + 2 + 2), the last norm


def test_an_sft_step_by_hand():
    load = load_of(SFT, "expected")  # prompts of 0.9 x 10 tokens, demonstrations of 7, of which the last is not fed
    assert (load.row_tokens, load.batch_tokens) == (30, 30)
    assert activation_bytes(SFT, SMALL, load) == 4 * 30 * (24 + 32 + 10 + 8 + 8 + 24)
    terms = estimate_stage(SFT, SMALL, n_teachers=NONE).terms
    assert terms["weights"] == pytest.approx(1.05 * 4 * 184)
    assert terms["optimiser state"] == pytest.approx(1.05 * 8 * 184)
    assert terms["logits"] == pytest.approx(1.05 * 4 * 14 * 10 * 5)  # 14 tokens, 10 words, 5 copies
    assert set(terms) == {"torch itself", "weights", "gradients", "optimiser state", "activations", "logits"}


def test_a_grpo_step_by_hand():
    load = load_of(GRPO, "expected")  # two groups: a prompt of 9 tokens once, three answers of 6
    assert load.row_tokens == 2 * (9 + 3 * 5)
    rows = 4 * ((6 * 32 + 2 * 9) * 2 * 2 * 2 + 6 * 7 * 10)  # space for 32 tokens at first
    assert cache_bytes(GRPO, SMALL, load, case="expected") == rows
    assert cache_bytes(GRPO, SMALL, load, case="low") == rows / 2  # one group after the other
    pairs = 6 * 6 * (9 + 3) + 2 * 81 / 2
    assert update_flops(SMALL, load) == 3 * (2 * 128 * 48 + 2 * 10 * 4 * 36 + 4 * 2 * pairs)
    assert sampling_flops(SMALL, load) == 36 * (2 * (128 + 40) + 4 * 2 * 12) + 18 * 2 * 128


def test_several_processes_by_hand():
    two = SFT.model_copy(update={"processes": 2})
    assert load_of(two, "expected").answers == 1
    alone, each = (estimate_stage(s, SMALL, n_teachers=NONE, device="gpu") for s in (SFT, two))
    for name in ("weights", "optimiser state", "gradients"):
        assert each.terms[name] == pytest.approx(alone.terms[name] / 2)
    assert each.terms["layers together"] == pytest.approx(1.05 * 4 * (2 * 56 + 3 * 128))  # outside of blocks: 184 - 128
    assert each.terms["whole weights"] == pytest.approx(0.5 * 1.05 * 4 * 184)  # to save them; the allocator keeps half
    on_cpu = estimate_stage(two, SMALL, n_teachers=NONE, device="cpu")
    assert on_cpu.memory.expected == pytest.approx(2 * each.memory.expected)  # both are in the one memory


def test_eight_gpus_hold_what_one_does_not():
    one, eight = (
        estimate_stage(GRPO.model_copy(update={"processes": n}), WIDE, n_teachers=NONE, device="gpu") for n in (1, 8)
    )
    assert eight.memory.high < one.memory.low  # even a model that has few blocks, each of which is large
    assert eight.seconds.expected < one.seconds.expected


def test_micro_batches_bound_activations_but_one_answer_is_never_cut():
    many = GRPO.model_copy(update={"prompts_per_step": 512})
    assert load_of(many, "high").batch_tokens == 2048
    assert load_of(many.model_copy(update={"max_response_tokens": 5000}), "high").batch_tokens == 10 + 5000 - 1


@pytest.mark.parametrize(
    ("change", "grows"),
    [
        ({"prompts_per_step": 64, "rollouts_per_prompt": 16}, "KV cache"),
        ({"max_response_tokens": 400}, "activations"),
        ({"kl_coefficient": 0.1}, "reference"),
        ({"optimizer": "muon"}, "optimiser step"),
    ],
)
def test_what_raises_a_term(change, grows):
    plain, changed = (
        estimate_stage(stage, WIDE, n_teachers=count_teachers(stage, position=1))
        for stage in (GRPO, GRPO.model_copy(update=change))
    )
    assert changed.terms[grows] > plain.terms.get(grows, 0)
    assert changed.memory.low <= changed.memory.expected <= changed.memory.high


def test_bfloat16_halves_what_computes_and_adds_a_master():
    plain, rounded = (
        estimate_stage(GRPO.model_copy(update={"precision": name}), WIDE, n_teachers=Range(1, 1, 1)).terms
        for name in ("float32", "bfloat16")
    )
    for term in ("weights", "reference", "activations"):
        assert rounded[term] == pytest.approx(plain[term] / 2)
    assert rounded["master weights"] == plain["weights"]
    for term in ("optimiser state", "gradients", "logits"):
        assert rounded[term] == plain[term]


def test_recomputed_activations_are_one_blocks_and_the_inputs_of_the_others():
    stage = SFT.model_copy(update={"gradient_checkpointing": True})
    load = load_of(stage, "expected")
    block, passing = 6 * 1024 + 4 * 4096 + 9 * 1024, 2 * 1024 + 3 * 4096
    assert activation_bytes(stage, WIDE, load) == 4 * 30 * (block + 7 * 1024 + passing)
    assert step_seconds(stage, WIDE) > 1.2 * step_seconds(SFT, WIDE)


def test_adapters_by_hand():
    # q: 3 x (4 + 2); k, v: 3 x (4 + 2) each; o: 3 x (2 + 4); gate, up, down: 3 x (4 + 8) each
    assert adapter_parameters(LoRASpec(rank=3), SMALL) == 4 * 18 + 3 * 36
    assert adapter_parameters(LoRASpec(rank=3, target_modules="q_proj, v_proj"), SMALL) == 2 * 18
    assert adapter_parameters(LoRASpec(rank=3, target_modules="Wqkv"), SMALL) == 4 * 18 + 3 * 36
    terms = estimate_stage(SFT.model_copy(update={"lora": LoRASpec(rank=3)}), SMALL, n_teachers=NONE).terms
    assert terms["weights"] == pytest.approx(1.05 * 4 * (184 + 180))
    assert terms["optimiser state"] == pytest.approx(1.05 * 8 * 180)
    assert terms["gradients"] == pytest.approx(1.05 * 4 * 180)


def test_adapters_are_their_own_reference():
    with_penalty = GRPO.model_copy(update={"kl_coefficient": 0.1, "lora": LoRASpec()})
    assert count_teachers(with_penalty, position=1) == NONE


def test_a_smaller_micro_batch_needs_less():
    small = GRPO.model_copy(update={"micro_batch_tokens": 64, "prompts_per_step": 64})
    assert load_of(small, "high").batch_tokens == 64
    assert load_of(small.model_copy(update={"max_response_tokens": 500}), "high").batch_tokens == 10 + 500 - 1


def test_muon_needs_half_the_state():
    state = {
        name: estimate_stage(SFT.model_copy(update={"optimizer": name}), WIDE, n_teachers=NONE).terms["optimiser state"]
        for name in ("adamw", "muon")
    }
    assert 0.5 < state["muon"] / state["adamw"] < 0.52


def test_a_teacher_is_counted_once_however_many_domains_it_teaches():
    stage = MOPDSpec(name="m", domains={"stem": 1, "tools": 1, "coding": 1}, steps=9, learning_rate=1e-3)
    assert count_teachers(stage, position=1) == Range(1, 1.5, 2)  # 'best' of the base and one stage
    named = stage.model_copy(update={"teachers": {"stem": "sft", "tools": "sft", "coding": "base"}})
    assert count_teachers(named, position=5) == Range(2, 2, 2)


def test_time_grows_with_steps_and_follows_the_pace():
    short, long = (
        estimate_stage(SFT.model_copy(update={"steps": n}), WIDE, n_teachers=NONE).seconds for n in (10, 110)
    )
    assert (long.expected - 3) / (short.expected - 3) == pytest.approx(11)
    assert short.low < short.expected < short.high


def test_what_has_no_room_is_refused_in_words():
    found = StageEstimate("big", "grpo", Range(40 * 2**30, 50 * 2**30, 60 * 2**30), {"activations": 1.0}, NONE)
    refuse_if_too_large(found, 40 * 2**30)
    with pytest.raises(TooLargeError) as refused:
        refuse_if_too_large(found, 24 * 2**30)
    assert str(refused.value) == (
        "stage 'big' needs at least 40.0 GiB of memory, mostly activations, and this machine has 24.0 GiB; turn on "
        "gradient_checkpointing, lower micro_batch_tokens or max_response_tokens, or take a smaller model, or use a machine with more memory"
    )


# Shapes ---------------------------------------------------------------------------------------------------------

QWEN = {
    "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 3072, "vocab_size": 151936, "tie_word_embeddings": True,
}  # fmt: skip


def folder_shape(models_dir: Path, config: object) -> ModelShape:
    (models_dir / "m").mkdir(exist_ok=True)
    (models_dir / "m" / "config.json").write_text(json.dumps(config))
    return shape_of(FolderModelSpec(folder="m"), models_dir)


def test_a_models_folder_tells_its_shape(tmp_path):
    assert folder_shape(tmp_path, QWEN).parameters == 596_049_920  # as Qwen3-0.6B says of itself
    old = {name: size for name, size in QWEN.items() if name not in ("head_dim", "num_key_value_heads")}
    assert folder_shape(tmp_path, old) == ModelShape(151936, 1024, 28, 16, 16, 64, 3072, is_tied=True)
    assert folder_shape(tmp_path, {"text_config": QWEN}).layers == 28


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "says no num_attention_heads"),
        ({**QWEN, "vocab_size": "many"}, "says no vocab_size"),
        ({**QWEN, "num_experts": 8}, "is a mixture of experts"),
        ([], "is no JSON object"),
    ],
)
def test_a_config_that_tells_nothing_is_named(config, words, tmp_path):
    with pytest.raises(UnknownShapeError, match=words):
        folder_shape(tmp_path, config)


def test_a_folder_that_is_elsewhere(tmp_path):
    with pytest.raises(UnknownShapeError, match="the model folder 'm' is not on this machine"):
        shape_of(FolderModelSpec(folder="m"), tmp_path)
    assert shape_of(TinyModelSpec(), tmp_path).parameters == 835_600

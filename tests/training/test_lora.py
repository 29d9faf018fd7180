"""Adapters: what is trained, what others see of it, and that it comes back to the bit."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.training.test_packing import PACKED, ROLLOUTS, SCALED, Plain, policy_of
from workers.spec import GRPOSpec, LoRASpec
from workers.stage_dir import StageDir
from workers.training.bad_spec import BadSpecError
from workers.training.checkpoints import load_checkpoint, load_resume, save_checkpoint, save_resume
from workers.training.lora import add_adapters, merged_weights, without_adapters
from workers.training.optim import Optimizers
from workers.training.packing import pack_rollouts
from workers.training.policy import Policy
from workers.training.recompute import recompute_activations
from workers.training.update import update_policy

LORA = LoRASpec(rank=2, alpha=6)
FAMILIES = PACKED | SCALED


def stage(**settings) -> GRPOSpec:
    document = {"name": "s", "domains": {"stem": 1}, "steps": 9, "learning_rate": 0.05, "warmup_steps": 0}
    return GRPOSpec.model_validate(document | {"lora": LORA} | settings)


def adapted(family: str = "qwen3", lora: LoRASpec = LORA, seed: int = 5) -> Policy:
    policy = policy_of(*FAMILIES[family])
    add_adapters(policy, lora, seed)
    return policy


def trained(policy: Policy, **settings) -> Optimizers:
    optimizers = Optimizers(policy.model, stage(**settings))
    for step in (1, 2):
        update_policy(policy, ROLLOUTS, optimizers, Plain(), step=step)
    return optimizers


@torch.no_grad()
def logprobs(policy: Policy) -> torch.Tensor:
    return policy.logprobs(policy.hidden(pack_rollouts(ROLLOUTS, policy.device)))


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_alone_are_trained_and_merging_them_changes_nothing(family, tmp_path):
    policy, plain = adapted(family), policy_of(*FAMILIES[family])
    torch.testing.assert_close(logprobs(policy), logprobs(plain), rtol=0, atol=0)  # B is zero
    optimizers = trained(policy)
    assert all(".lora_" in name for name in optimizers.weights)
    assert not any("lm_head" in name or "embed" in name for name in optimizers.weights)
    adapted_logprobs = logprobs(policy)
    save_checkpoint(tmp_path / "c", policy)
    merged = load_checkpoint(tmp_path / "c")
    assert [name for name, _ in merged.model.named_parameters()] == [name for name, _ in plain.model.named_parameters()]
    moved = float((adapted_logprobs - logprobs(plain)).abs().max())
    gap = float((adapted_logprobs - logprobs(merged)).abs().max())
    print(f"{family}: log-probs moved by {moved:.2f}, merged off by {gap:.1e}")
    assert moved > 0.1
    assert gap < 1e-4


def test_merged_weights_by_hand():
    # alpha / rank = 3, B A = [[1], [2]] [[1, 0]] = [[1, 0], [2, 0]]
    model = policy_of(*FAMILIES["llama"])
    add_adapters(model, LoRASpec(rank=2, alpha=6, target_modules="q_proj"), 0)
    layer = model.model.model.layers[0].self_attn.q_proj
    with torch.no_grad():
        layer.base_layer.weight.zero_()
        layer.lora_A["default"].weight.zero_()[0, 0] = 1
        layer.lora_B["default"].weight.zero_()[:2, 0] = torch.tensor([1.0, 2.0])
    found = dict(merged_weights(model.model))["model.layers.0.self_attn.q_proj.weight"]
    assert found[:2, :2].tolist() == [[3, 0], [6, 0]]
    assert int(found.count_nonzero()) == 2


def test_merged_weights_are_those_that_peft_merges():
    policy = adapted()
    trained(policy)
    ours = {name: weight.clone() for name, weight in merged_weights(policy.model)}
    for module in policy.model.modules():
        if hasattr(module, "get_delta_weight"):
            module.merge()
    theirs = {
        name.replace(".base_layer", ""): w for name, w in policy.model.state_dict().items() if "lora_" not in name
    }
    assert set(ours) == set(theirs)
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=0, atol=1e-6)


def test_the_checkpoint_is_an_ordinary_folder(tmp_path):
    policy = adapted()
    trained(policy)
    ids = torch.tensor([ROLLOUTS[0].prompt_ids + ROLLOUTS[0].token_ids])
    with torch.no_grad():
        expected = policy.model(input_ids=ids, use_cache=False).logits
    save_checkpoint(tmp_path / "c", policy)
    assert not list((tmp_path / "c").glob("adapter*"))
    assert json.loads((tmp_path / "c" / "config.json").read_text())["architectures"] == ["Qwen3ForCausalLM"]
    model, report = AutoModelForCausalLM.from_pretrained(tmp_path / "c", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=ids, use_cache=False).logits, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_without_adapters_it_is_the_start_and_with_them_it_goes_on(precision):
    policy = adapted()
    start = Optimizers(policy.model, stage(precision=precision))
    before = logprobs(policy)
    reference = without_adapters(policy)

    class WithReference(Plain):
        def reference_of(self, rollout):
            return reference

    for step in (1, 2):
        update_policy(policy, ROLLOUTS, start, WithReference(), step=step)
    assert torch.equal(logprobs(reference), before)
    assert not torch.equal(logprobs(policy), before)
    alone = adapted()
    trained(alone, precision=precision)
    assert torch.equal(logprobs(policy), logprobs(alone))  # a reference disturbs no gradient


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_resumes_to_the_bit_and_keeps_adapters_alone(tmp_path, precision):
    policy = adapted()
    straight = trained(policy, precision=precision)
    save_resume(StageDir(tmp_path), 2, straight)
    size = sum(file.stat().st_size for file in (tmp_path / "resume").rglob("*.safetensors"))
    numbers = sum(weight.numel() for weight in straight.weights.values())
    assert size < 3 * 4 * numbers + 20_000
    update_policy(policy, ROLLOUTS, straight, Plain(), step=3)

    again = adapted(seed=6)
    resumed = Optimizers(again.model, stage(precision=precision))
    assert load_resume(StageDir(tmp_path), resumed) == 2
    update_policy(again, ROLLOUTS, resumed, Plain(), step=3)
    assert all(torch.equal(weight, resumed.weights[name]) for name, weight in straight.weights.items())
    assert torch.equal(logprobs(policy), logprobs(again))


def test_recomputed_activations_reach_the_adapters():
    plain, other = adapted(), adapted()
    recompute_activations(other)
    for policy in (plain, other):
        trained(policy)
    torch.testing.assert_close(logprobs(plain), logprobs(other), rtol=0, atol=1e-5)


@pytest.mark.parametrize("names", ["nonsense", "lm_head", "input_layernorm"])
def test_layers_that_take_no_adapter_are_refused_in_words(names):
    with pytest.raises(BadSpecError) as refused:
        adapted("llama", LORA.model_copy(update={"target_modules": names}))
    assert str(refused.value) == (
        f"found lora.target_modules '{names}', expected all-linear or some of: down_proj, gate_proj, k_proj, o_proj, q_proj, "
        "up_proj, v_proj; the output head and what is not linear take no adapter"
    )


def test_named_layers_alone_get_one():
    policy = adapted("llama", LORA.model_copy(update={"target_modules": "q_proj, v_proj"}))
    owners = {name.split(".")[4] for name, p in policy.model.named_parameters() if p.requires_grad}
    assert owners == {"q_proj", "v_proj"}

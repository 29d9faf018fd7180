"""Gradient checkpointing: the same gradient from less memory, and nothing else changes."""

import pytest
import torch
from transformers import LlamaConfig, OPTConfig, Qwen3Config

from tests.training.test_packing import ROLLOUTS, STAGE, Plain, gradients, policy_of
from workers.training.bad_spec import BadSpecError
from workers.training.optim import Optimizers
from workers.training.packing import pack_rollouts
from workers.training.policy import Policy
from workers.training.recompute import recompute_activations
from workers.training.sampling import make_sampler
from workers.training.update import update_policy

OPT = {"ffn_dim": 64, "word_embed_proj_dim": 32, "dropout": 0.5}  # its blocks drop out by themselves in training mode
FAMILIES = {"qwen3": (Qwen3Config, {"head_dim": 8}), "llama": (LlamaConfig, {}), "opt": (OPTConfig, OPT)}


@pytest.fixture(params=FAMILIES)
def pair(request) -> tuple[Policy, Policy]:
    plain, other = (policy_of(*FAMILIES[request.param]) for _ in range(2))
    recompute_activations(other)
    return plain, other


class Saved:
    """Counts the numbers that a pass keeps for its backward pass."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        self.seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def of(self, policy: Policy) -> int:
        with torch.autograd.graph.saved_tensors_hooks(self.pack, lambda tensor: tensor):
            hidden = policy.hidden(pack_rollouts(ROLLOUTS, policy.device))
        hidden.sum().backward()
        return sum(self.seen.values())


def test_gradients_are_the_same(pair, monkeypatch):
    plain, other = (gradients(policy, monkeypatch, ROLLOUTS) for policy in pair)
    largest = max(float((a - b).abs().max()) for a, b in zip(plain, other, strict=True))
    print(
        f"{type(pair[0].model).__name__}: gradients up to {max(float(g.abs().max()) for g in plain):.2f}, off by {largest:.1e}"
    )
    assert largest < 1e-6


def test_blocks_keep_their_inputs_alone(pair):
    plain, other = pair
    assert Saved().of(other) < Saved().of(plain) / 2


def test_no_block_is_left_in_training_mode_and_sampling_is_untouched(pair):
    plain, other = pair
    update_policy(other, ROLLOUTS, Optimizers(other.model, STAGE), Plain(), step=1)
    update_policy(plain, ROLLOUTS, Optimizers(plain.model, STAGE), Plain(), step=1)
    assert not any(module.training for module in other.model.modules())
    prompts = [rollout.prompt_ids for rollout in ROLLOUTS]
    seeds = list(range(len(prompts)))
    answers = [make_sampler(policy, "torch").sample(prompts, 2, STAGE, seeds) for policy in pair]
    assert [answer.token_ids for answer in answers[0]] == [answer.token_ids for answer in answers[1]]


def test_a_model_whose_blocks_cannot_is_refused(pair):
    plain, _ = pair
    plain.model.supports_gradient_checkpointing = False
    with pytest.raises(BadSpecError, match="blocks cannot be computed again; set gradient_checkpointing to false"):
        recompute_activations(plain)

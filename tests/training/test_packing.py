"""A packed row gives every token the hidden state, and every weight the gradient, that each rollout would give alone."""

import pytest
import torch
from transformers import AutoModelForCausalLM, CohereConfig, Gemma2Config, GraniteConfig, LlamaConfig, Qwen3Config

from workers.spec import GRPOSpec
from workers.training import update as update_module
from workers.training.optim import Optimizers
from workers.training.packing import Tokens, can_pack, pack_rollouts, packed_size
from workers.training.policy import Policy
from workers.training.rollouts import Problem, Rollout
from workers.training.tiny_model import build_tokenizer
from workers.training.update import TokenLosses, micro_batches, update_policy

PROBLEM = Problem("stem", "k", "", {})
STAGE = GRPOSpec(name="s", domains={"stem": 1}, steps=5, learning_rate=0.01, warmup_steps=0, max_grad_norm=1e6)
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}
PACKED = {"qwen3": (Qwen3Config, {"head_dim": 8}), "llama": (LlamaConfig, {})}
SCALED = {
    "granite": (GraniteConfig, {"logits_scaling": 3.0}),
    "cohere": (CohereConfig, {"logit_scale": 0.25}),
    "gemma2": (Gemma2Config, {"head_dim": 8, "sliding_window": 4, "final_logit_softcapping": 5.0}),
}


def policy_of(config_class, more) -> Policy:
    tokenizer = build_tokenizer()
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    torch.manual_seed(3)
    config = config_class(vocab_size=len(tokenizer), **SIZES, **ids, **more)
    return Policy(AutoModelForCausalLM.from_config(config), tokenizer)


@pytest.fixture(params=[*PACKED, *SCALED])
def policy(request) -> Policy:
    return policy_of(*(PACKED | SCALED)[request.param])


def rollout(group: int, n_prompt: int, n_response: int, advantage: float) -> Rollout:
    ids = [(7 + 13 * group + 5 * i + n_response * (i >= n_prompt)) % 200 + 5 for i in range(n_prompt + n_response)]
    return Rollout(PROBLEM, group, ids[:n_prompt], ids[n_prompt:], [-1.0] * n_response, "", False, advantage=advantage)


ROLLOUTS = [  # a group of three, one that answers with a single token; a pair; two alone; a prompt of one token
    *(rollout(0, 6, n, a) for n, a in ((4, 1.0), (1, -0.5), (9, 2.0))),
    *(rollout(1, 11, n, a) for n, a in ((3, 0.5), (2, -1.0))),
    rollout(2, 5, 7, 0.25),
    rollout(3, 8, 1, -2.0),
    *(rollout(4, 1, n, a) for n, a in ((2, 1.5), (5, 0.75))),
]


def alone(policy: Policy, rollout: Rollout) -> torch.Tensor:
    """Log-probs of a rollout's tokens from the whole model on the plain sequence: (T, V)."""
    ids = torch.tensor([rollout.prompt_ids + rollout.token_ids])
    logits = policy.model(input_ids=ids, use_cache=False).logits[0, len(rollout.prompt_ids) - 1 : -1]
    return logits.float().log_softmax(-1)


class Plain:
    """Credit -advantage * log pi, as GRPO gives it."""

    average, temperature = "token", 1.0

    def reference_of(self, rollout):
        return None

    def token_losses(self, tokens: Tokens, logprobs_NV, reference_NV):
        return TokenLosses(-tokens.advantages_N * logprobs_NV.gather(1, tokens.ids_N[:, None]).squeeze(1))


def gradients(policy, monkeypatch, rollouts, stage=STAGE) -> list[torch.Tensor]:
    optimizers, found = Optimizers(policy.model, stage), []
    monkeypatch.setattr(optimizers, "step", lambda step: found.extend(p.grad.clone() for p in optimizers.parameters))
    update_policy(policy, rollouts, optimizers, Plain(), step=1)
    return found


def test_families_are_told_apart(policy):
    expected = policy.model.config.model_type not in ("gemma2",)
    assert can_pack(policy.model) is expected


def test_every_token_gets_the_logprobs_it_would_get_alone(policy):
    pack = pack_rollouts(ROLLOUTS, policy.device)
    with torch.no_grad():
        ours = policy.logprobs(policy.hidden(pack))
        expected = torch.cat([alone(policy, r) for r in ROLLOUTS])
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("at_once", [10_000, 64, 12, 1])
def test_every_weight_gets_the_gradient_it_would_get_alone(policy, monkeypatch, at_once):
    monkeypatch.setattr(update_module, "LOGITS_AT_ONCE", at_once * 305)
    ours = gradients(policy, monkeypatch, ROLLOUTS, STAGE.model_copy(update={"micro_batch_tokens": at_once}))
    n_tokens = sum(len(r.token_ids) for r in ROLLOUTS)
    for r in ROLLOUTS:
        picked = alone(policy, r).gather(1, torch.tensor(r.token_ids)[:, None])
        (-r.advantage * picked.sum() / n_tokens).backward()
    for mine, parameter in zip(ours, policy.model.parameters(), strict=True):
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-4, atol=1e-5)


def test_a_prompt_stands_once_in_the_row():
    pack = pack_rollouts(ROLLOUTS, torch.device("cpu"))
    assert len(pack.ids_M) == (6 + 3 + 0 + 8) + (11 + 2 + 1) + (5 + 6) + (8 + 0) + (1 + 1 + 4)
    assert packed_size(ROLLOUTS[:3]) == 17
    assert pack.positions_M[:17].tolist() == [*range(6), 6, 7, 8, *range(6, 14)]
    assert len(pack.predictors_N) == sum(len(r.token_ids) for r in ROLLOUTS)


def test_micro_batches_hold_each_rollout_once_and_keep_groups_together():
    batches = list(micro_batches(ROLLOUTS, Plain(), 20))
    assert sorted(row for rows in batches for row in rows) == list(range(len(ROLLOUTS)))
    assert any({0, 1, 2} <= set(rows) for rows in batches)


def test_a_group_that_is_too_large_is_cut():
    assert sorted(micro_batches(ROLLOUTS[:3], Plain(), 10)) == [[0, 1], [2]]


def test_padded_rows_stay_within_the_limit_and_below_twice_their_length():
    # lengths 9 6 14 | 13 12 | 11 | 8 | 2 5, less the prompts' part: a row is prompt and response but its last token
    lengths = [len(r.prompt_ids) + len(r.token_ids) - 1 for r in ROLLOUTS]
    assert lengths == [9, 6, 14, 13, 12, 11, 8, 2, 5]
    batches = list(micro_batches(ROLLOUTS, Plain(), 40, is_packed=False))
    assert [[lengths[row] for row in rows] for rows in batches] == [[2], [5, 6, 8, 9], [11, 12, 13], [14]]


def test_rollouts_of_different_references_never_share_a_row():
    class TwoTeachers(Plain):
        def reference_of(self, rollout):
            return rollout.group % 2

    batches = list(micro_batches(ROLLOUTS, TwoTeachers(), 2048))
    assert all(len({ROLLOUTS[row].group % 2 for row in rows}) == 1 for rows in batches)

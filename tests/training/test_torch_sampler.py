"""The sampler draws from the policy, and reports the log-probs that the trainer computes."""

from dataclasses import dataclass

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from workers.training.loss import sampled
from workers.training.packing import pack_rollouts
from workers.training.policy import Policy
from workers.training.rollouts import Problem, Rollout
from workers.training.sampling import make_sampler, sample_rollouts
from workers.training.sampling.torch_sampler import choose_tokens, nucleus
from workers.training.tiny_model import build_tokenizer

PROBLEMS = [Problem("stem", str(i), text, {}) for i, text in enumerate(("a", "max?A1B2C3D4", "please 7 plus 9", "b!"))]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
}


@dataclass
class Decoding:
    temperature: float = 1.0
    top_p: float = 1.0
    max_response_tokens: int = 12


def policy_of(config_class) -> Policy:
    tokenizer = build_tokenizer()
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    torch.manual_seed(3)
    config = config_class(vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.1, **SIZES, **ids)
    return Policy(AutoModelForCausalLM.from_config(config), tokenizer)


@pytest.fixture(params=[Qwen3Config, LlamaConfig])
def policy(request) -> Policy:
    return policy_of(request.param)


def rollouts_of(policy: Policy, n=6, seed=0, **decoding) -> list[Rollout]:
    generator = torch.Generator().manual_seed(seed)
    return sample_rollouts(policy, make_sampler(policy), PROBLEMS, n, Decoding(**decoding), generator)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_equal_the_trainers(policy, temperature):
    rollouts = rollouts_of(policy, n=60, temperature=temperature, top_p=0.9, max_response_tokens=40)
    pack = pack_rollouts(rollouts, policy.device)
    with torch.no_grad():
        trainer_N = sampled(policy.logprobs(policy.hidden(pack), temperature), pack.tokens.ids_N)
    assert float((trainer_N - pack.tokens.sampler_logprobs_N).abs().max()) < 1e-4
    assert len({len(r.token_ids) for r in rollouts}) > 2  # rows did leave the batch at different times


def test_greedy_is_what_transformers_generates(policy):
    for rollout in rollouts_of(policy, n=2, temperature=0.0):
        ids = torch.tensor([rollout.prompt_ids])
        expected = policy.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, pad_token_id=policy.pad_id
        )
        assert rollout.token_ids == expected[0, len(rollout.prompt_ids) :].tolist()


def test_answers_end_with_eos_or_are_cut_off(policy):
    rollouts = rollouts_of(policy, n=40)
    for rollout in rollouts:
        assert policy.tokenizer.eos_token_id not in rollout.token_ids[:-1]
        assert rollout.is_truncated == (rollout.token_ids[-1] != policy.tokenizer.eos_token_id)
        assert not rollout.is_truncated or len(rollout.token_ids) == 12
    assert {r.is_truncated for r in rollouts} == {True, False}


def test_the_same_seed_gives_the_same_answers(policy):
    first, again, other = (rollouts_of(policy, seed=seed) for seed in (1, 1, 2))
    assert [r.token_ids for r in first] == [r.token_ids for r in again]
    assert [r.logprobs for r in first] == [r.logprobs for r in again]
    assert [r.token_ids for r in first] != [r.token_ids for r in other]


def test_groups_follow_their_prompts(policy):
    rollouts = rollouts_of(policy, n=3)
    assert [r.group for r in rollouts] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert all(r.problem is PROBLEMS[r.group] for r in rollouts)


def test_tokens_come_with_their_probabilities():
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits_RV = probabilities.log().expand(20_000, 4)
    tokens_R, logprobs_R = choose_tokens(logits_RV, Decoding(), torch.Generator().manual_seed(0))
    shares = torch.bincount(tokens_R, minlength=4) / 20_000
    assert float((shares - probabilities).abs().max()) < 0.015  # four standard errors
    torch.testing.assert_close(logprobs_R, probabilities.log()[tokens_R])


def test_nucleus_keeps_the_smallest_set_that_reaches_top_p():
    probs_RV = torch.tensor([[0.15, 0.5, 0.05, 0.3], [0.1, 0.1, 0.7, 0.1]])
    assert (nucleus(probs_RV, 0.69) > 0).tolist() == [[False, True, False, True], [False, False, True, False]]
    tokens_R, _ = choose_tokens(probs_RV.log().repeat(500, 1), Decoding(top_p=0.69), torch.Generator().manual_seed(0))
    assert set(tokens_R[0::2].tolist()) == {1, 3}
    assert set(tokens_R[1::2].tolist()) == {2}

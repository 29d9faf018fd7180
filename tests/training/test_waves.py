"""Answers are sampled in waves that fit a share of the memory, and are the same in however many waves."""

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config

from tests.training.test_samplers import PROBLEMS, SIZES, Decoding
from workers.spec import TinyModelSpec
from workers.training.policy import Policy, build_policy
from workers.training.sampling import sample_rollouts
from workers.training.sampling.torch_sampler import TorchSampler
from workers.training.sampling.waves import groups_at_once

TINY = TinyModelSpec(hidden_size=32, layers=2, heads=2, head_size=16, mlp_size=64)


@pytest.fixture
def memory(monkeypatch):
    """Set how much memory there is, in bytes."""
    return lambda n: monkeypatch.setattr("workers.training.sampling.waves.device_bytes", lambda: n)


def test_groups_at_once_by_hand(memory):
    policy = build_policy(TINY, seed=1)
    # An answer of 40 tokens takes 64 slots, its prompt of 20 a fifth of 20 in groups of 5: 68 slots of 4 bytes for 32 keys and
    # 32 values in 3 blocks (one is copied), and 7 x 4 bytes for each of 414 words of logits.
    each = 68 * 4 * 64 * 3 + 7 * 4 * 414
    memory(4 * 5 * each * 3)  # a quarter of it holds three groups
    assert groups_at_once(policy, 20, 40, 5) == 3
    memory(4 * 5 * each * 3 - 4)
    assert groups_at_once(policy, 20, 40, 5) == 2
    memory(1)
    assert groups_at_once(policy, 20, 40, 5) == 1
    memory(2**50)
    assert groups_at_once(policy, 20, 40, 5) == 1024 // 5


def test_rows_that_share_no_prompt_take_more(memory):
    tokens = {"eos_token_id": 1, "pad_token_id": 0, "bos_token_id": None}
    config = Gemma2Config(vocab_size=414, sliding_window=8, **SIZES, **tokens)
    policy = Policy(AutoModelForCausalLM.from_config(config), build_policy(TINY, seed=1).tokenizer)
    each = (32 + 20) * 4 * 2 * 2 * 32 * 3 + 7 * 4 * 414  # two key heads of 32 features
    memory(4 * 5 * each)
    assert groups_at_once(policy, 20, 32, 5) == 1
    memory(4 * 10 * each)
    assert groups_at_once(policy, 20, 32, 5) == 2


def test_answers_are_the_same_in_any_number_of_waves(memory, monkeypatch):
    policy = build_policy(TINY, seed=1)
    sampler, waves = TorchSampler(policy), []
    sample_wave = sampler._sample_wave
    monkeypatch.setattr(
        sampler, "_sample_wave", lambda prompts, *rest: waves.append(prompts) or sample_wave(prompts, *rest)
    )

    def tokens() -> list[list[int]]:
        generator = torch.Generator().manual_seed(2)
        return [r.token_ids for r in sample_rollouts(policy, sampler, PROBLEMS, 6, Decoding(), generator)]

    memory(2**40)
    at_once = tokens()
    memory(1)
    assert tokens() == at_once
    assert [len(wave) for wave in waves] == [len(PROBLEMS), *[1] * len(PROBLEMS)]

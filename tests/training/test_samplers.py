"""Every engine draws from the policy, and reports the log-probs that the trainer computes."""

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, Qwen3Config

from workers.spec import LoRASpec
from workers.training.bad_spec import BadSpecError
from workers.training.lora import add_adapters
from workers.training.loss import sampled
from workers.training.packing import pack_rollouts
from workers.training.policy import Policy
from workers.training.rollouts import Problem, Rollout
from workers.training.sampling import Sampler, make_sampler, sample_rollouts
from workers.training.sampling.torch_sampler import nucleus
from workers.training.tiny_model import build_tokenizer

PROBLEMS = [Problem("stem", str(i), text, {}) for i, text in enumerate(("a", "max?A1B2C3D4", "please 7 plus 9", "b!"))]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,  # the smallest that vLLM's kernels for a CPU take
    "intermediate_size": 64,
}
HAS_VLLM = find_spec("vllm") is not None
VLLM = pytest.param(
    "vllm",
    marks=[
        pytest.mark.vllm,
        pytest.mark.skipif(not HAS_VLLM, reason="needs vLLM: run make test-vllm"),
        pytest.mark.filterwarnings("ignore"),  # its own and those of its packages
    ],
)


@dataclass
class Decoding:
    temperature: float = 1.0
    top_p: float = 1.0
    max_response_tokens: int = 12


@cache
def policy_of(config_class, **more) -> Policy:
    tokenizer = build_tokenizer()
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    torch.manual_seed(3)
    config = config_class(
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        initializer_range=0.1,
        tie_word_embeddings=config_class is Qwen3Config,  # one of each: they are handed over differently
        **SIZES,
        **ids,
        **more,
    )
    return Policy(AutoModelForCausalLM.from_config(config), tokenizer)


@cache  # vLLM takes seconds to start
def sampler_of(engine: str, config_class) -> Sampler:
    return make_sampler(policy_of(config_class), engine)


@pytest.fixture(params=[Qwen3Config, LlamaConfig])
def config_class(request):
    return request.param


@pytest.fixture
def policy(config_class) -> Policy:
    return policy_of(config_class)


@pytest.fixture(params=["torch", VLLM])
def sampler(request, config_class) -> Sampler:
    return sampler_of(request.param, config_class)


def rollouts_of(policy: Policy, sampler: Sampler, n=6, seed=0, **decoding) -> list[Rollout]:
    generator = torch.Generator().manual_seed(seed)
    return sample_rollouts(policy, sampler, PROBLEMS, n, Decoding(**decoding), generator)


def largest_gap(policy: Policy, rollouts: list[Rollout], temperature: float) -> float:
    """Compare the sampler's log-probs with the trainer's."""
    pack = pack_rollouts(rollouts, policy.device)
    with torch.no_grad():
        trainer_N = sampled(policy.logprobs(policy.hidden(pack), temperature), pack.tokens.ids_N)
    return float((trainer_N - pack.tokens.sampler_logprobs_N).abs().max())


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (1.0, 0.9), (0.7, 1.0), (0.7, 0.9)])
def test_logprobs_equal_the_trainers(policy, sampler, temperature, top_p):
    rollouts = rollouts_of(policy, sampler, n=40, temperature=temperature, top_p=top_p, max_response_tokens=40)
    gap = largest_gap(policy, rollouts, temperature)
    print(f"{type(sampler).__name__}, temperature {temperature}, top_p {top_p}: largest gap {gap:.1e}")
    assert gap < 1e-4
    assert len({len(r.token_ids) for r in rollouts}) > 2  # rows did leave the batch at different times


def test_greedy_logprobs_equal_the_trainers(policy, sampler):
    assert largest_gap(policy, rollouts_of(policy, sampler, temperature=0.0), temperature=1.0) < 1e-4


def test_sampling_follows_the_weights(policy, sampler):
    before = deepcopy(policy.model.state_dict())
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(1.2)
    try:
        sampler.load_weights(policy)
        assert largest_gap(policy, rollouts_of(policy, sampler), temperature=1.0) < 1e-4
    finally:
        policy.model.load_state_dict(before)
        sampler.load_weights(policy)
    assert largest_gap(policy, rollouts_of(policy, sampler), temperature=1.0) < 1e-4


def test_adapters_reach_the_engine(config_class, policy, sampler):
    adapted = policy_of.__wrapped__(config_class)  # another of its kind: adapters would stay
    add_adapters(adapted, LoRASpec(rank=4), seed=1)
    with torch.no_grad():
        for name, parameter in adapted.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    try:
        sampler.load_weights(adapted)
        rollouts = rollouts_of(adapted, sampler)
        assert largest_gap(adapted, rollouts, temperature=1.0) < 1e-4
        assert largest_gap(policy, rollouts, temperature=1.0) > 0.1
    finally:
        sampler.load_weights(policy)


def test_greedy_is_what_transformers_generates(policy, sampler):
    for rollout in rollouts_of(policy, sampler, n=2, temperature=0.0):
        ids = torch.tensor([rollout.prompt_ids])
        expected = policy.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, pad_token_id=policy.pad_id
        )
        assert rollout.token_ids == expected[0, len(rollout.prompt_ids) :].tolist()


def test_tokens_come_as_often_as_the_policy_says(policy, sampler):
    rollouts = rollouts_of(policy, sampler, n=1000, temperature=0.8, top_p=0.5, max_response_tokens=1)[:1000]
    with torch.no_grad():
        logits_RV = policy.model(torch.tensor([rollouts[0].prompt_ids])).logits[:, -1]
    probs_V = nucleus(torch.softmax(logits_RV / 0.8, dim=-1), 0.5)[0]
    shares_V = torch.bincount(torch.tensor([r.token_ids[0] for r in rollouts]), minlength=len(probs_V)) / 1000
    assert bool((probs_V[shares_V > 0] > 0).all())  # nothing from outside the nucleus
    assert float((shares_V - probs_V / probs_V.sum()).abs().max()) < 0.065  # four standard errors of one half


def test_answers_end_with_eos_or_are_cut_off(policy, sampler):
    rollouts = rollouts_of(policy, sampler, n=40)
    for rollout in rollouts:
        assert policy.tokenizer.eos_token_id not in rollout.token_ids[:-1]
        assert rollout.is_truncated == (rollout.token_ids[-1] != policy.tokenizer.eos_token_id)
        assert not rollout.is_truncated or len(rollout.token_ids) == 12
    assert {r.is_truncated for r in rollouts} == {True, False}


def test_the_same_seed_gives_the_same_answers(policy, sampler):
    first, again, other = (rollouts_of(policy, sampler, seed=seed) for seed in (1, 1, 2))
    assert [r.token_ids for r in first] == [r.token_ids for r in again]
    assert [r.logprobs for r in first] == [r.logprobs for r in again]
    assert [r.token_ids for r in first] != [r.token_ids for r in other]
    assert len({tuple(r.token_ids) for r in first[:6]}) > 1  # members of a group have seeds of their own


def test_groups_follow_their_prompts(policy, sampler):
    rollouts = rollouts_of(policy, sampler, n=3)
    assert [r.group for r in rollouts] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert all(r.problem is PROBLEMS[r.group] for r in rollouts)


@pytest.mark.parametrize("n", [1, 6])
def test_a_window_shorter_than_the_prompts_sees_each_rows_own_last_tokens(n):
    windowed = policy_of(Gemma2Config, sliding_window=4)
    assert not windowed.can_pack
    assert len({len(ids) for ids in map(windowed.prompt_ids, PROBLEMS)}) > 2
    rollouts = rollouts_of(windowed, make_sampler(windowed, "torch"), n=n)
    assert largest_gap(windowed, rollouts, temperature=1.0) < 1e-4
    for rollout in rollouts:  # whatever the trainer does with padding, too
        assert largest_gap(windowed, [rollout], temperature=1.0) < 1e-4


@pytest.mark.skipif(HAS_VLLM, reason="vLLM is installed")
def test_vllm_that_is_not_installed_is_refused_in_words():
    with pytest.raises(BadSpecError, match=r"found no vLLM .* by requirements-vllm.txt; set engine to"):
        make_sampler(policy_of(Qwen3Config), "vllm")


@pytest.mark.vllm
@pytest.mark.skipif(not HAS_VLLM, reason="needs vLLM: run make test-vllm")
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_vllm_cannot_run_is_refused_in_words():
    config = LlamaConfig(vocab_size=len(build_tokenizer()), **{**SIZES, "head_dim": 8})
    policy = Policy(AutoModelForCausalLM.from_config(config), build_tokenizer())
    with pytest.raises(
        BadSpecError, match=r"found attention heads of 8 features, expected one of 32, .* set engine to"
    ):
        make_sampler(policy, "vllm")


def test_answers_do_not_depend_on_what_is_sampled_beside_them(policy, sampler):
    prompts, seeds = [policy.prompt_ids(problem) for problem in PROBLEMS], [11, 12, 13, 14]
    at_once = sampler.sample(prompts, 5, Decoding(), seeds)
    apart = [
        *sampler.sample(prompts[:1], 5, Decoding(), seeds[:1]),
        *sampler.sample(prompts[1:], 5, Decoding(), seeds[1:]),
    ]
    assert [answer.token_ids for answer in apart] == [answer.token_ids for answer in at_once]

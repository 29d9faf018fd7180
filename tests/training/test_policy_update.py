"""One update: the same gradient however rollouts are split and padded, and none from what does not count."""

import math

import pytest
import torch

from workers.spec import GRPOSpec, TinyModelSpec
from workers.training import policy as policy_module
from workers.training.failures import BadSpecError, NotFiniteError
from workers.training.loss import policy_gradient
from workers.training.optim import Optimizers
from workers.training.policy import Policy, TokenLosses, build_policy, micro_batches, sampled
from workers.training.rollouts import Problem, Rollout

STAGE = GRPOSpec(name="s", domains={"stem": 1}, steps=5, learning_rate=0.01, warmup_steps=0, max_grad_norm=1e6)
PROBLEM = Problem("stem", "k", "max?A1B2C3D4", {})


@pytest.fixture
def policy() -> Policy:
    return build_policy(TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16), seed=1)


def rollout(n_prompt: int, n_response: int, advantage: float) -> Rollout:
    ids = [7 + i for i in range(n_prompt + n_response)]
    logprobs = [-1.0] * n_response
    return Rollout(PROBLEM, 0, ids[:n_prompt], ids[n_prompt:], logprobs, "", False, advantage=advantage)


ROLLOUTS = [rollout(3, 2, 1.0), rollout(9, 6, -0.5), rollout(5, 1, 2.0), rollout(4, 12, 0.25)]


def losses(batch, logprobs_BTV) -> TokenLosses:
    logprobs_BT = sampled(logprobs_BTV, batch)
    return TokenLosses(policy_gradient(logprobs_BT, batch.advantages_B[:, None]), {"logprob": logprobs_BT.detach()})


def gradient_of(policy, monkeypatch, rollouts, *, average="token", at_once=10_000) -> torch.Tensor:
    monkeypatch.setattr(policy_module, "MICRO_BATCH_TOKENS", at_once)
    grads = []
    optimizers = Optimizers(policy.model, STAGE)
    monkeypatch.setattr(optimizers, "step", lambda step: grads.extend(p.grad.flatten() for p in optimizers.parameters))
    policy.update(rollouts, optimizers, losses, step=1, average=average)
    return torch.cat(grads)


@pytest.mark.parametrize("average", ["token", "sequence"])
def test_splitting_changes_nothing(policy, monkeypatch, average):
    whole = gradient_of(policy, monkeypatch, ROLLOUTS, average=average)
    split = gradient_of(policy, monkeypatch, ROLLOUTS, average=average, at_once=1)
    torch.testing.assert_close(whole, split, rtol=1e-4, atol=1e-7)


def test_the_gradient_is_that_of_a_plain_loop(policy, monkeypatch):
    ours = gradient_of(policy, monkeypatch, ROLLOUTS)
    policy.model.zero_grad()
    n_tokens = sum(len(r.token_ids) for r in ROLLOUTS)
    for r in ROLLOUTS:
        logprobs_SV = policy.model(input_ids=torch.tensor([r.prompt_ids + r.token_ids])).logits[0].log_softmax(-1)
        for t, token in enumerate(r.token_ids):
            (-r.advantage * logprobs_SV[len(r.prompt_ids) - 1 + t, token] / n_tokens).backward(retain_graph=True)
    expected = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def test_masked_tokens_change_nothing(policy):
    batch = policy.batch(ROLLOUTS)
    before = sampled(policy.logprobs(batch), batch)[batch.mask_BT]
    batch.ids_BS[batch.attention_BS == 0] = 99
    batch.tokens_BT[~batch.mask_BT] = 98
    torch.testing.assert_close(sampled(policy.logprobs(batch), batch)[batch.mask_BT], before)


def test_stats_come_back_in_the_order_of_the_rollouts(policy, monkeypatch):
    monkeypatch.setattr(policy_module, "MICRO_BATCH_TOKENS", 16)
    expected = []
    for r in ROLLOUTS:
        batch = policy.batch([r])
        expected.append(sampled(policy.logprobs(batch), batch).mean().item())
    update = policy.update(ROLLOUTS, Optimizers(policy.model, STAGE), losses, step=1, average="token")
    assert update.stats["logprob"] == pytest.approx(expected, rel=1e-4)
    assert update.n_tokens == 21


def test_micro_batches_hold_each_rollout_once_and_never_mix_keys():
    keys = {id(r): str(i % 2) for i, r in enumerate(ROLLOUTS)}
    groups = list(micro_batches(ROLLOUTS, lambda r: keys[id(r)]))
    assert sorted(row for group in groups for row in group) == [0, 1, 2, 3]
    assert all(len({row % 2 for row in group}) == 1 for group in groups)


def test_no_rollouts_no_step(policy):
    before = {name: p.clone() for name, p in policy.model.named_parameters()}
    optimizers = Optimizers(policy.model, STAGE)
    policy.update(ROLLOUTS, optimizers, losses, step=1, average="token")  # now there is momentum
    moved = {name: p.clone() for name, p in policy.model.named_parameters()}
    update = policy.update([], optimizers, losses, step=2, average="token")
    assert (update.loss, update.grad_norm) == (0.0, 0.0)
    assert all(torch.equal(p, moved[name]) for name, p in policy.model.named_parameters())
    assert not all(torch.equal(p, before[name]) for name, p in policy.model.named_parameters())


@pytest.mark.parametrize("credit", [math.nan, math.inf])
def test_what_is_not_finite_is_refused_before_a_weight_changes(policy, credit):
    before = [p.clone() for p in policy.model.parameters()]
    with pytest.raises(NotFiniteError, match="at step 7; no weight was changed"):
        policy.update([rollout(3, 2, credit)], Optimizers(policy.model, STAGE), losses, step=7, average="token")
    assert all(torch.equal(a, b) for a, b in zip(before, policy.model.parameters(), strict=True))


def test_a_prompt_that_leaves_no_room_is_refused(policy):
    long = Problem("stem", "k", "x" * 60, {})
    with pytest.raises(
        BadSpecError, match="prompt of 'stem' has 62 tokens, which with 16 response tokens is more than"
    ):
        policy.prompt_ids(long, 16)

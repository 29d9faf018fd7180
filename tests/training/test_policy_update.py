"""One update: the same gradient however rollouts are split and padded, and none from what does not count."""

import math

import pytest
import torch

from workers.spec import GRPOSpec, TinyModelSpec
from workers.training.bad_spec import BadSpecError
from workers.training.failures import NotFiniteError
from workers.training.loss import policy_gradient, sampled
from workers.training.optim import Optimizers
from workers.training.packing import pack_rollouts
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Problem, Rollout
from workers.training.update import TokenLosses, Update, update_policy

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


class Plain:
    """Credit of the rollout's advantage for each of its tokens."""

    temperature = 1.0

    def __init__(self, average="token"):
        self.average = average

    def reference_of(self, rollout):
        return None

    def token_losses(self, tokens, logprobs_NV, reference_NV):
        logprobs_N = sampled(logprobs_NV, tokens.ids_N)
        return TokenLosses(policy_gradient(logprobs_N, tokens.advantages_N), {"logprob": logprobs_N.detach()})


def update(policy, rollouts, optimizers, *, average="token", step=1) -> Update:
    return update_policy(policy, rollouts, optimizers, Plain(average), step=step)


def gradient_of(policy, monkeypatch, rollouts, *, average="token", at_once=10_000) -> torch.Tensor:
    grads = []
    optimizers = Optimizers(policy.model, STAGE.model_copy(update={"micro_batch_tokens": at_once}))
    monkeypatch.setattr(optimizers, "step", lambda step: grads.extend(p.grad.flatten() for p in optimizers.parameters))
    update(policy, rollouts, optimizers, average=average)
    return torch.cat(grads)


@pytest.mark.parametrize("average", ["token", "sequence", 12])
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


def test_a_constant_average_divides_by_what_full_length_would_have(policy, monkeypatch):
    # 21 tokens in 4 responses of at most 12: divided by 48 instead of 21
    by_token = gradient_of(policy, monkeypatch, ROLLOUTS)
    policy.model.zero_grad()
    torch.testing.assert_close(gradient_of(policy, monkeypatch, ROLLOUTS, average=12), by_token * 21 / 48)


def test_stats_come_back_in_the_order_of_the_rollouts(policy):
    stage = STAGE.model_copy(update={"micro_batch_tokens": 16})
    expected = []
    for r in ROLLOUTS:
        pack = pack_rollouts([r], policy.device)
        expected.append(sampled(policy.logprobs(policy.hidden(pack)), pack.tokens.ids_N).mean().item())
    found = update(policy, ROLLOUTS, Optimizers(policy.model, stage))
    assert found.stats["logprob"] == pytest.approx(expected, rel=1e-4)
    assert found.n_tokens == 21


def test_no_rollouts_no_step(policy):
    before = {name: p.clone() for name, p in policy.model.named_parameters()}
    optimizers = Optimizers(policy.model, STAGE)
    update(policy, ROLLOUTS, optimizers)  # now there is momentum
    moved = {name: p.clone() for name, p in policy.model.named_parameters()}
    found = update(policy, [], optimizers, step=2)
    assert (found.loss, found.grad_norm) == (0.0, 0.0)
    assert all(torch.equal(p, moved[name]) for name, p in policy.model.named_parameters())
    assert not all(torch.equal(p, before[name]) for name, p in policy.model.named_parameters())


@pytest.mark.parametrize("credit", [math.nan, math.inf])
def test_what_is_not_finite_is_refused_before_a_weight_changes(policy, credit):
    before = [p.clone() for p in policy.model.parameters()]
    with pytest.raises(NotFiniteError, match="at step 7; no weight was changed"):
        update(policy, [rollout(3, 2, credit)], Optimizers(policy.model, STAGE), step=7)
    assert all(torch.equal(a, b) for a, b in zip(before, policy.model.parameters(), strict=True))


def test_a_prompt_that_leaves_no_room_is_refused(policy):
    long = Problem("stem", "k", "x" * 60, {})
    with pytest.raises(
        BadSpecError, match="prompt of 'stem' has 62 tokens, which with 16 response tokens is more than"
    ):
        policy.prompt_ids(long, 16)

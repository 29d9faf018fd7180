"""Several updates per batch of rollouts: whole groups in each, and what the policy was before the first is remembered."""

import pytest
import torch

from tests.training.methods import TINY, grpo_method
from workers.training.grpo import GRPO
from workers.training.loss import sampled
from workers.training.optim import Optimizers
from workers.training.packing import pack_rollouts
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Rollout
from workers.training.update import minibatches, remember_logprobs, update_policy


@pytest.fixture
def policy() -> Policy:
    return build_policy(TINY, seed=1)


def grpo(policy: Policy, **settings) -> GRPO:
    usual = {"domains": {"stem": 1, "tools": 1}, "warmup_steps": 0, "rollouts_per_prompt": 2, "prompts_per_step": 5}
    return grpo_method(policy, **usual | {"updates_per_batch": 2} | settings)


def batch(method: GRPO) -> list[Rollout]:
    """Five groups of two; the first of each is better."""
    rollouts = method.sample(1)
    for number, rollout in enumerate(rollouts):
        rollout.reward = float(number % 2 == 0)
    return method.credit(rollouts)


def logprobs(policy: Policy, rollouts: list[Rollout]) -> torch.Tensor:
    pack = pack_rollouts(rollouts, policy.device)
    with torch.no_grad():
        return sampled(policy.logprobs(policy.hidden(pack)), pack.tokens.ids_N)


@pytest.mark.parametrize(("n", "sizes"), [(1, [5]), (2, [2, 3]), (3, [1, 2, 2]), (5, [1] * 5), (9, [1] * 5)])
def test_parts_are_whole_groups_in_order(policy, n, sizes):
    rollouts = batch(grpo(policy))
    parts = minibatches(rollouts, n)
    assert [len({r.group for r in part}) for part in parts] == sizes
    assert [r for part in parts for r in part] == rollouts


def test_each_part_takes_one_step_at_the_rate_of_the_step(policy):
    method = grpo(policy)
    rollouts, other = batch(method), build_policy(TINY, seed=1)
    optimizers, steps = Optimizers(policy.model, method.stage), []
    step = optimizers.step
    optimizers.step = lambda number: (steps.append(number), step(number))  # type: ignore[method-assign]
    update_policy(policy, rollouts, optimizers, method, step=3, n_updates=2)
    assert steps == [3, 3]

    # the same by hand: what the second part's tokens had before the first update is noted, then each part is an update
    first, second = minibatches(rollouts, 2)
    optimizers = Optimizers(other.model, method.stage)
    method = grpo(other)
    for rollout in second:
        rollout.old_logprobs = None
    remember_logprobs(other, second, method, method.stage.micro_batch_tokens)
    update_policy(other, first, optimizers, method, step=3)
    update_policy(other, second, optimizers, method, step=3)
    for ours, expected in zip(policy.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(ours, expected)


def test_only_later_parts_need_what_the_policy_was_and_have_it(policy):
    method = grpo(policy)
    rollouts = batch(method)
    first, second = minibatches(rollouts, 2)
    before = logprobs(policy, second)
    update_policy(policy, rollouts, Optimizers(policy.model, method.stage), method, step=1, n_updates=2)
    assert all(r.old_logprobs is None for r in first)
    torch.testing.assert_close(torch.tensor([x for r in second for x in r.old_logprobs or ()]), before)
    assert not torch.allclose(logprobs(policy, second), before)


def test_a_large_step_is_clipped_in_the_next_part(policy):
    method = grpo(policy, learning_rate=0.2, domains={"stem": 1})
    rollouts = batch(method)
    update = update_policy(policy, rollouts, Optimizers(policy.model, method.stage), method, step=1, n_updates=2)
    n_first = len(minibatches(rollouts, 2)[0])
    assert update.stats["clipped"][:n_first] == [0] * n_first
    assert sum(update.stats["clipped"][n_first:]) > 0
    assert update.n_tokens == sum(len(r.token_ids) for r in rollouts)
    assert len(update.stats["clipped"]) == len(rollouts)


def test_the_gap_to_the_engine_is_not_what_updates_move(policy):
    method = grpo(policy, learning_rate=0.2)
    rollouts = batch(method)
    update = update_policy(policy, rollouts, Optimizers(policy.model, method.stage), method, step=1, n_updates=2)
    assert (update.ratio_min, update.ratio_mean, update.ratio_max) == pytest.approx((1, 1, 1), abs=1e-4)
    method = grpo(policy)
    rollouts = batch(method)
    rollouts[0].logprobs[0] -= 1.0  # as if the engine had computed something else: ratio e
    update = update_policy(policy, rollouts, Optimizers(policy.model, method.stage), method, step=1, n_updates=2)
    assert update.ratio_max == pytest.approx(2.71828, rel=1e-3)


def test_one_update_makes_no_second_pass(policy, monkeypatch):
    method = grpo(policy, updates_per_batch=1)
    rollouts, passes = batch(method), []
    hidden = policy.hidden
    monkeypatch.setattr(policy, "hidden", lambda pack: passes.append(pack) or hidden(pack))
    update_policy(policy, rollouts, Optimizers(policy.model, method.stage), method, step=1)
    assert len(passes) == 1

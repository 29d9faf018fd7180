"""Each option of GRPO does what its description says, in numbers worked out by hand."""

import pytest
import torch

from tests.training.methods import PROBLEM, TINY, grpo_method
from workers.training.grpo import GRPO
from workers.training.loss import clipped_policy_gradient, kl_penalty, sampled
from workers.training.packing import Tokens, pack_rollouts
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Batch, Rollout
from workers.training.update import Update


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy(TINY, seed=1)


def rewarded(*rewards: float, lengths: tuple[int, ...] = ()) -> list[Rollout]:
    """Answers that have their rewards already, in groups of four."""
    rollouts = []
    for i, reward in enumerate(rewards):
        ids = [7] * (lengths[i] if lengths else 2)
        rollouts.append(Rollout(PROBLEM, i // 4, [3, 4], ids, [-1.0] * len(ids), "", False, reward=reward))
    return rollouts


def advantages(method: GRPO, rollouts: list[Rollout]) -> list[float]:
    return [round(rollout.advantage, 3) for rollout in method.credit(rollouts)]


def test_the_baseline_may_leave_each_answer_out_of_its_own(policy):
    # rewards 1 0 0 0: against the mean 1/4 that is .75 and -.25, against the others' mean 1 and -1/3
    rollouts = rewarded(1, 0, 0, 0)
    assert advantages(grpo_method(policy, normalize_advantages=False), rollouts) == [0.75, -0.25, -0.25, -0.25]
    method = grpo_method(policy, normalize_advantages=False, baseline="leave_one_out")
    assert advantages(method, rollouts) == [1, -0.333, -0.333, -0.333]


def test_the_loss_may_be_averaged_over_responses_of_full_length(policy):
    assert grpo_method(policy, loss_average="constant", max_response_tokens=9).average == 9
    assert grpo_method(policy, loss_average="sequence").average == "sequence"


def test_prompts_without_a_good_answer_are_masked(policy):
    # best of the groups: .5, .6, .6; above .5 are the last two, of which the last is all equal
    rollouts = rewarded(0.5, 0, 0, 0, 0.6, 0, 0, 0, 0.6, 0.6, 0.6, 0.6)
    assert {r.group for r in grpo_method(policy, min_group_reward=0.5).credit(rollouts)} == {1}
    assert {r.group for r in grpo_method(policy, min_group_reward=0.5, dynamic_filtering="off").credit(rollouts)} == {
        1,
        2,
    }
    assert {r.group for r in grpo_method(policy).credit(rollouts)} == {0, 1}


def test_short_answers_gain_what_long_ones_lose(policy):
    # lengths 2 4 6 4: weights .5 0 -.5 0, times .5; the mean reward stays 1/2
    rollouts = rewarded(1, 1, 0, 0, lengths=(2, 4, 6, 4))
    method = grpo_method(policy, length_reward=0.5, normalize_advantages=False)
    assert method.rewards(rollouts).tolist() == [[1.25, 1, -0.25, 0]]
    assert advantages(method, rollouts) == [0.75, 0.5, -0.75, -0.5]


def test_the_shortest_answer_gets_its_bonus_only_if_it_is_good(policy):
    # the 80th percentile of 0 0 1 1 is 1
    method = grpo_method(policy, conciseness_bonus=0.5)
    assert method.rewards(rewarded(1, 1, 0, 0, lengths=(2, 4, 6, 4))).tolist() == [[1.5, 1, 0, 0]]
    assert method.rewards(rewarded(1, 1, 0, 0, lengths=(4, 4, 2, 6))).tolist() == [[1, 1, 0, 0]]
    easier = grpo_method(policy, conciseness_bonus=0.5, conciseness_quantile=0.2)
    assert easier.rewards(rewarded(1, 1, 0, 0, lengths=(4, 4, 2, 6))).tolist() == [[1, 1, 0.5, 0]]


def test_length_tells_equal_answers_apart_and_a_good_answer_from_none(policy):
    # rewards 0 0 0 0, lengths 2 4 6 4: .25 0 -.25 0; they differ, and still no answer is good
    rollouts = rewarded(0, 0, 0, 0, lengths=(2, 4, 6, 4))
    assert len(grpo_method(policy, length_reward=0.5).credit(rollouts)) == 4
    assert not grpo_method(policy, length_reward=0.5, min_group_reward=0.1).credit(rollouts)
    assert [r.reward for r in rollouts] == [0, 0, 0, 0]  # what is recorded is the grade


def terms(policy: Policy, rollouts: list[Rollout]) -> tuple[Tokens, torch.Tensor]:
    pack = pack_rollouts(rollouts, policy.device)
    return pack.tokens, policy.logprobs(policy.hidden(pack))


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_the_penalty_takes_the_estimator_it_is_told(policy, estimator):
    rollouts = rewarded(1, 0, 0, 0)
    tokens, logprobs_NV = terms(policy, rollouts)
    reference_NV = terms(build_policy(TINY, seed=5), rollouts)[1].detach()
    method = grpo_method(policy, kl_coefficient=0.5, kl_estimator=estimator)
    plain = method.token_losses(tokens, logprobs_NV, None).losses_N
    found = method.token_losses(tokens, logprobs_NV, reference_NV)
    expected = kl_penalty(sampled(logprobs_NV, tokens.ids_N), sampled(reference_NV, tokens.ids_N), estimator)
    torch.testing.assert_close(found.losses_N - plain, 0.5 * expected)
    torch.testing.assert_close(found.stats["kl"], expected)


def test_the_clip_is_the_one_of_the_spec_and_of_later_updates_only(policy):
    rollouts = rewarded(1, 0, 0, 0)
    method = grpo_method(policy, updates_per_batch=2, clip_low=0.1, clip_high=0.3)
    method.credit(rollouts)
    for rollout in rollouts:
        rollout.old_logprobs = [-3.0, -8.0]
    tokens, logprobs_NV = terms(policy, rollouts)
    expected, is_clipped = clipped_policy_gradient(
        sampled(logprobs_NV, tokens.ids_N), tokens.old_logprobs_N, tokens.advantages_N, low=0.1, high=0.3
    )
    found = method.token_losses(tokens, logprobs_NV, None)
    torch.testing.assert_close(found.losses_N, expected)
    assert found.stats["clipped"].tolist() == is_clipped.float().tolist()
    assert 0 < float(found.stats["clipped"].mean()) < 1
    assert "clipped" not in grpo_method(policy).token_losses(tokens, logprobs_NV, None).stats


def test_the_gap_between_trainer_and_engine_is_told_at_every_step_that_updates(policy):
    rollouts = rewarded(1, 0, 0, 0)
    update = Update(ratio_mean=1.01, ratio_min=0.8, ratio_max=1.3)
    found = grpo_method(policy).metrics(Batch(rollouts, rollouts), rollouts, update)
    assert (found["ratio_mean"], found["ratio_min"], found["ratio_max"]) == (1.01, 0.8, 1.3)
    assert "ratio_mean" not in grpo_method(policy).metrics(Batch(rollouts, rollouts), [], Update())

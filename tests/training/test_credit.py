"""How GRPO and MOPD give credit: which rollouts count, and what each token deserves."""

from statistics import fmean

import pytest
import torch

from tests.training.methods import PROBLEM, TINY, grpo_method
from workers.spec import MOPDSpec, ResolvedStageSpec
from workers.training.grpo import GRPO
from workers.training.loss import sampled
from workers.training.mopd import MOPD
from workers.training.optim import Optimizers
from workers.training.packing import Tokens, pack_rollouts
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Batch, Rollout
from workers.training.sampling import make_sampler
from workers.training.update import TokenLosses, update_policy


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy(TINY, seed=1)


def mopd(policy: Policy, teachers: dict[str, Policy], **settings) -> MOPD:
    stage = MOPDSpec(
        **{"name": "s", "domains": dict.fromkeys(teachers, 1), "steps": 5, "learning_rate": 0.01} | settings
    )
    spec = ResolvedStageSpec(run="r", seed=0, model=TINY, stage=stage, start_folder=None)
    return MOPD(spec, stage, policy, make_sampler(policy), teachers=teachers)


def groups(*texts: str, cut: int = -1) -> list[Rollout]:
    """Groups of four answers to PROBLEM; the one numbered `cut` was cut off."""
    return [Rollout(PROBLEM, i // 4, [3, 4], [7, 8], [-1.0, -1.0], text, i == cut) for i, text in enumerate(texts)]


RIGHT, WRONG = "4;D", "4;A"


def logprobs(policy: Policy, rollouts: list[Rollout]) -> tuple[Tokens, torch.Tensor]:
    """The rollouts' tokens, and the policy's log-probs of every token in their place."""
    pack = pack_rollouts(rollouts, policy.device)
    return pack.tokens, policy.logprobs(policy.hidden(pack))


def token_losses(method: GRPO | MOPD, rollouts: list[Rollout]) -> TokenLosses:
    """The method's losses at the policy, as an update computes them."""
    tokens, logprobs_NV = logprobs(method.policy, rollouts)
    reference = method.reference_of(rollouts[0])
    with torch.no_grad():
        reference_NV = None if reference is None else logprobs(reference, rollouts)[1]
    return method.token_losses(tokens, logprobs_NV, reference_NV)


def credited(method: GRPO, rollouts: list[Rollout]) -> list[float]:
    method.grade(rollouts)
    return [round(rollout.advantage, 2) for rollout in method.credit(rollouts)]


def test_one_right_answer_of_four(policy):
    # rewards 1 0 0 0: mean 1/4, variance (9 + 1 + 1 + 1) / 16 / 3 = 1/4, so 3/2 and -1/2
    assert credited(grpo_method(policy), groups(RIGHT, WRONG, WRONG, WRONG)) == [1.5, -0.5, -0.5, -0.5]


def test_equal_groups_are_left_out_with_dynamic_filtering_and_count_as_tokens_without(policy):
    rollouts = groups(*[RIGHT] * 4, RIGHT, WRONG, WRONG, WRONG)
    assert len(credited(grpo_method(policy), rollouts)) == 4
    assert credited(grpo_method(policy, dynamic_filtering="off"), rollouts)[:4] == [0, 0, 0, 0]


@pytest.mark.parametrize("dynamic_filtering", ["drop", "off"])
def test_a_dead_batch_is_no_update(policy, dynamic_filtering):
    assert credited(grpo_method(policy, dynamic_filtering=dynamic_filtering), groups(*[WRONG] * 8)) == []


def test_a_dead_batch_is_an_update_where_there_is_an_entropy_bonus(policy):
    method = grpo_method(policy, dynamic_filtering="off", entropy_coefficient=0.1)
    assert credited(method, groups(*[WRONG] * 4)) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("overlong", "expected"),
    [
        ("keep", [0.87, 0.87, -0.87, -0.87]),  # its reward stays
        ("penalize", [1.5, -0.5, -0.5, -0.5]),  # its reward is 0
        ("mask", [0.87, -0.87, -0.87]),  # it counts in the mean, and not in the loss
    ],
)
def test_an_answer_that_was_cut_off(policy, overlong, expected):
    rollouts = groups(RIGHT, RIGHT, WRONG, WRONG, cut=1)
    assert credited(grpo_method(policy, overlong=overlong), rollouts) == expected


def test_one_step_makes_the_right_answer_likelier(policy):
    learner = build_policy(TINY, seed=2)
    method = grpo_method(learner, warmup_steps=0)
    rollouts = groups(RIGHT, WRONG, WRONG, WRONG)
    for rollout in rollouts:
        rollout.token_ids = learner.response_ids(rollout.text)
        rollout.logprobs = [0.0] * len(rollout.token_ids)

    def logprob(rollout: Rollout) -> float:
        with torch.no_grad():
            tokens, logprobs_NV = logprobs(learner, [rollout])
            return float(sampled(logprobs_NV, tokens.ids_N).sum())

    before = [logprob(rollouts[0]), logprob(rollouts[1])]
    method.grade(rollouts)
    optimizers = Optimizers(learner.model, method.stage)
    update_policy(learner, method.credit(rollouts), optimizers, method, step=1)
    after = [logprob(rollouts[0]), logprob(rollouts[1])]
    assert after[0] - before[0] > after[1] - before[1]


def test_entropy_bonus_and_kl_penalty_enter_the_loss(policy):
    other = build_policy(TINY, seed=5)
    rollouts = groups(RIGHT, WRONG, WRONG, WRONG)
    tokens, logprobs_NV = logprobs(policy, rollouts)
    plain = token_losses(grpo_method(policy), rollouts).losses_N
    bonus = token_losses(grpo_method(policy, entropy_coefficient=0.5), rollouts).losses_N
    entropy_N = torch.distributions.Categorical(logits=logprobs_NV).entropy()
    torch.testing.assert_close(bonus, plain - 0.5 * entropy_N)

    method = grpo_method(policy, kl_coefficient=0.5)
    method.reference = other
    penalty = token_losses(method, rollouts).losses_N - plain
    gap_N = sampled(logprobs(other, rollouts)[1] - logprobs_NV, tokens.ids_N)
    torch.testing.assert_close(penalty, 0.5 * (gap_N.exp() - gap_N - 1))


@pytest.mark.parametrize("divergence", ["sampled_token", "full_vocabulary"])
def test_a_student_that_equals_its_teacher_has_nothing_to_learn(policy, divergence):
    def largest_slope(teacher: Policy) -> tuple[float, float]:
        method = mopd(policy, {"stem": teacher}, divergence=divergence)
        policy.model.zero_grad()
        losses = token_losses(method, method.sample(1))
        losses.losses_N.sum().backward()
        slope = max(float(p.grad.abs().max()) for p in policy.model.parameters())
        return slope, float(losses.stats["reverse_kl"].abs().max())

    # the log-probs of student and teacher round alike only as far as floats do
    slope, reverse_kl = largest_slope(policy)
    assert slope < 1e-4 * largest_slope(build_policy(TINY, seed=5))[0]
    assert reverse_kl < 1e-6


def test_each_domain_learns_from_its_own_teacher(policy):
    first, second = build_policy(TINY, seed=5), build_policy(TINY, seed=6)
    method = mopd(policy, {"stem": first, "tools": second}, prompts_per_step=4)
    rollouts = method.credit(method.sample(1))
    optimizers = Optimizers(policy.model, method.stage)
    expected = []
    for rollout in rollouts:
        teacher = {"stem": first, "tools": second}[rollout.problem.domain]
        tokens, logprobs_NV = logprobs(policy, [rollout])
        gap_N = sampled(logprobs(teacher, [rollout])[1] - logprobs_NV, tokens.ids_N)
        expected.append(gap_N.mean().item())
    update = update_policy(policy, rollouts, optimizers, method, step=1)
    assert update.stats["teacher_gap"] == pytest.approx(expected, abs=1e-5)
    found = method.metrics(Batch(rollouts, rollouts), rollouts, update)
    assert found["teacher_gap"] == pytest.approx(fmean(expected), abs=1e-5)
    stem = [gap for gap, rollout in zip(expected, rollouts, strict=True) if rollout.problem.domain == "stem"]
    assert found["teacher_gap/stem"] == pytest.approx(fmean(stem), abs=1e-5)
    assert {"reverse_kl/stem", "reverse_kl/tools", "teacher_gap/tools", "ratio_mean", "ratio_min", "ratio_max"} <= set(
        found
    )
    assert found["masked"] == 0


def test_tokens_outside_the_band_get_no_gradient(policy):
    method = mopd(policy, {"stem": build_policy(TINY, seed=5)})
    rollouts = method.sample(1)[:4]
    rollouts[0].logprobs = [x - 1.0 for x in rollouts[0].logprobs]  # ratio e, above 2
    losses, first = token_losses(method, rollouts), len(rollouts[0].token_ids)
    assert not losses.losses_N[:first].any()
    assert bool(losses.losses_N[first:].all())
    assert losses.stats["masked"][:first].tolist() == [1.0] * first

"""The task reward in MOPD: added to the teacher's credit where the stage weighs it, and nowhere else."""

import pytest
import torch

from workers.spec import MOPDSpec, ResolvedStageSpec, TinyModelSpec
from workers.training.loss import sampled
from workers.training.mopd import MOPD
from workers.training.packing import Tokens, pack_rollouts
from workers.training.policy import Policy, build_policy
from workers.training.rollouts import Rollout
from workers.training.sampling import make_sampler

TINY = TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return build_policy(TINY, seed=1)


@pytest.fixture(scope="module")
def teacher() -> Policy:
    return build_policy(TINY, seed=5)


def mopd(policy: Policy, teacher: Policy, **settings) -> MOPD:
    stage = MOPDSpec(
        **{"name": "s", "domains": {"stem": 1}, "steps": 5, "learning_rate": 0.01, "prompts_per_step": 2} | settings
    )
    spec = ResolvedStageSpec(run="r", seed=0, model=TINY, stage=stage, start_folder=None)
    return MOPD(spec, stage, policy, make_sampler(policy), teachers={"stem": teacher})


def credited(method: MOPD) -> list[Rollout]:
    """Two groups of four answers with rewards 1 0 0 0 and 1 1 1 1."""
    rollouts = method.sample(1)
    for number, rollout in enumerate(rollouts):
        rollout.reward = float(number not in (1, 2, 3))
    return method.credit(rollouts)


def terms(method: MOPD, rollouts: list[Rollout]) -> tuple[Tokens, torch.Tensor, torch.Tensor]:
    pack = pack_rollouts(rollouts, method.policy.device)
    with torch.no_grad():
        student, teacher = (p.logprobs(p.hidden(pack)) for p in (method.policy, method.teachers["stem"]))
    return pack.tokens, student, teacher


def test_a_weighted_group_advantage_by_hand(policy, teacher):
    # 1 0 0 0: mean 1/4, variance (9 + 1 + 1 + 1) / 16 / 3 = 1/4, so 3/2 and -1/2, half of which counts; 1 1 1 1: nothing
    found = [rollout.advantage for rollout in credited(mopd(policy, teacher, task_reward_weight=0.5))]
    assert found == pytest.approx([0.75, -0.25, -0.25, -0.25, 0, 0, 0, 0], abs=1e-3)
    assert not any(rollout.advantage for rollout in credited(mopd(policy, teacher)))


@pytest.mark.parametrize("divergence", ["sampled_token", "full_vocabulary"])
def test_it_is_added_to_what_the_teacher_says(policy, teacher, divergence):
    plain, weighted = (mopd(policy, teacher, divergence=divergence, task_reward_weight=weight) for weight in (0.0, 0.5))
    rollouts = credited(weighted)
    tokens, student_NV, teacher_NV = terms(weighted, rollouts)
    more_N = weighted.token_losses(tokens, student_NV, teacher_NV).losses_N
    rollouts = credited(plain)
    alone_N = plain.token_losses(terms(plain, rollouts)[0], student_NV, teacher_NV).losses_N
    logprobs_N = sampled(student_NV, tokens.ids_N)  # engine and trainer agree, so the importance weight is 1
    torch.testing.assert_close(more_N - alone_N, -tokens.advantages_N * logprobs_N, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("divergence", ["sampled_token", "full_vocabulary"])
def test_outside_the_band_the_task_reward_counts_no_more_than_the_teacher(policy, teacher, divergence):
    method = mopd(policy, teacher, divergence=divergence, task_reward_weight=0.5)
    rollouts = credited(method)[:1]
    rollouts[0].logprobs = [x - 1.0 for x in rollouts[0].logprobs]  # ratio e, above 2
    tokens, student_NV, teacher_NV = terms(method, rollouts)
    found = method.token_losses(tokens, student_NV, teacher_NV)
    expected = found.stats["reverse_kl"] if divergence == "full_vocabulary" else torch.zeros_like(found.losses_N)
    torch.testing.assert_close(found.losses_N, expected)
    assert found.stats["masked"].tolist() == [1.0] * len(rollouts[0].token_ids)

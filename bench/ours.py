"""Our steps for the engine's benchmark, made of the functions that the trainer's loop is made of."""

from collections.abc import Iterator

import torch

from bench.cases import Case, build, problems, reward, stage_settings
from bench.turns import Turns, take_turns
from workers.spec import GRPOSpec, MOPDSpec, ResolvedStageSpec, TinyModelSpec
from workers.training.grpo import GRPO
from workers.training.mopd import MOPD
from workers.training.optim import Optimizers
from workers.training.policy import Policy, set_up_torch
from workers.training.rollouts import Rollout
from workers.training.sampling import Sampler, sample_rollouts
from workers.training.sampling.torch_sampler import TorchSampler
from workers.training.update import update_policy

SGEMM_SIZE, SGEMM_PRODUCTS = 1024, 10
SGEMM_FLOPS = SGEMM_PRODUCTS * 2 * SGEMM_SIZE**3


def grpo(case: Case, turns: Turns) -> None:
    take_turns(turns, grpo_steps(case))


def mopd(case: Case, turns: Turns) -> None:
    take_turns(turns, mopd_steps(case))


def sampler(case: Case, turns: Turns) -> None:
    take_turns(turns, sampler_steps(case))


def sgemm(case: Case, turns: Turns) -> None:
    take_turns(turns, sgemm_steps())


def grpo_steps(case: Case) -> Iterator[None]:
    """Sample, grade, credit, update, for ever."""
    set_up_torch()
    stage = GRPOSpec(**stage_settings(case))
    policy = Policy(*build(case))
    method = GRPO(_resolved(stage), stage, policy, TorchSampler(policy), reference=None, reward_model=None)
    return _steps(case, stage, policy, method)


def mopd_steps(case: Case) -> Iterator[None]:
    """Sample, credit by a teacher of the same shape, update, for ever."""
    set_up_torch()
    stage = MOPDSpec(**stage_settings(case), divergence="full_vocabulary", loss_average="token")
    policy, teacher = Policy(*build(case)), Policy(*build(case, seed=1))
    method = MOPD(_resolved(stage), stage, policy, TorchSampler(policy), teachers={"stem": teacher})
    return _steps(case, stage, policy, method)


def sampler_steps(case: Case) -> Iterator[None]:
    """Sample a batch, for ever."""
    set_up_torch()
    stage = GRPOSpec(**stage_settings(case))
    policy = Policy(*build(case))
    generator = torch.Generator().manual_seed(0)
    engine = TorchSampler(policy)
    while True:
        _sample(case, stage, policy, engine, generator)
        yield


def sgemm_steps() -> Iterator[None]:
    """Multiply large matrices, for ever: the rate that nothing else here can exceed."""
    a, b, found = (torch.rand(SGEMM_SIZE, SGEMM_SIZE) for _ in range(3))
    while True:
        for _ in range(SGEMM_PRODUCTS):
            torch.matmul(a, b, out=found)
        yield


def _steps(case: Case, stage: GRPOSpec | MOPDSpec, policy: Policy, method: GRPO | MOPD) -> Iterator[None]:
    optimizers = Optimizers(policy.model, stage)
    generator = torch.Generator().manual_seed(0)
    step = 0
    while True:
        step += 1
        method.sampler.load_weights(policy)
        rollouts = _sample(case, stage, policy, method.sampler, generator)
        for rollout in rollouts:
            rollout.reward = reward(rollout.token_ids)
        update_policy(policy, method.credit(rollouts), optimizers, method, step=step)
        yield


def _sample(
    case: Case, stage: GRPOSpec | MOPDSpec, policy: Policy, engine: Sampler, generator: torch.Generator
) -> list[Rollout]:
    rollouts = sample_rollouts(policy, engine, problems(case), stage.rollouts_per_prompt, stage, generator)
    assert all(len(rollout.token_ids) == case.response_tokens for rollout in rollouts)
    assert all(len(rollout.prompt_ids) == case.prompt_tokens for rollout in rollouts)
    for rollout in rollouts:
        rollout.is_truncated = False  # every response is cut off here; by default that would cost it its reward
    return rollouts


def _resolved(stage: GRPOSpec | MOPDSpec) -> ResolvedStageSpec:
    taught = {"stem": "t"} if isinstance(stage, MOPDSpec) else {}
    return ResolvedStageSpec(
        run="bench",
        seed=0,
        model=TinyModelSpec(),
        stage=stage,
        start_folder=None,
        teachers=taught,
        teacher_folders=taught,
    )

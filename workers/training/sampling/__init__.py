"""Sampling answers: the engines there are, and graded rollouts made with them.

To add an engine: a module here with a class of the shape of `Sampler`, and an entry in ENGINES.
"""

import os
from collections.abc import Callable

import torch

from workers.catalogue import PREFERENCE
from workers.spec import GRPOSpec, MOPDSpec, ResolvedStageSpec
from workers.training.bad_spec import BadSpecError
from workers.training.distributed import n_processes, split_work, whole
from workers.training.domains import domain_of
from workers.training.mixing import Mixture, step_rng
from workers.training.policy import Policy
from workers.training.rollouts import Grade, Problem, Rollout
from workers.training.sampling.engine import Answer, Decoding, Sampler
from workers.training.sampling.split_sampler import SplitSampler
from workers.training.sampling.torch_sampler import TorchSampler
from workers.training.sampling.vllm_sampler import VLLMSampler, find_obstacle
from workers.training.seeds import torch_rng

__all__ = [
    "ENGINES",
    "Answer",
    "Decoding",
    "Sampler",
    "grade_rollouts",
    "make_sampler",
    "sample_rollouts",
    "sample_step",
]

ENGINES: dict[str, Callable[[Policy], Sampler]] = {"torch": TorchSampler, "vllm": VLLMSampler}
AUTO = "auto"


def make_sampler(policy: Policy, engine: str = AUTO) -> Sampler:
    """Make an engine; "auto" is vLLM where there is a GPU and vLLM that knows the model, else torch.

    The environment variable CASCADE_ENGINE overrules what is asked for, for runs by hand. Raises BadSpecError for an
    engine that cannot be had.
    """
    engine = os.environ.get("CASCADE_ENGINE") or engine
    if engine == AUTO:
        engine = "vllm" if torch.cuda.is_available() and not find_obstacle(policy) else "torch"
    elif engine not in ENGINES:
        raise BadSpecError(f"found CASCADE_ENGINE '{engine}', expected one of: {', '.join([AUTO, *ENGINES])}")
    elif engine == "vllm" and (obstacle := find_obstacle(policy)):
        raise BadSpecError(obstacle)
    with whole(policy) as together:
        sampler = ENGINES[engine](together)
    return sampler if n_processes() == 1 else SplitSampler(sampler, policy)


def sample_step(
    spec: ResolvedStageSpec, stage: GRPOSpec | MOPDSpec, mixture: Mixture, policy: Policy, sampler: Sampler, step: int
) -> list[Rollout]:
    """Sample a step's rollouts from the policy as it is now."""
    sampler.load_weights(policy)
    problems = mixture.problems_of(step, step_rng(spec.seed, stage.name, step))
    generator = torch_rng(spec.seed, stage.name, step, "tokens")
    return sample_rollouts(
        policy, sampler, problems, stage.rollouts_per_prompt, stage, generator, thinking=stage.thinking
    )


def sample_rollouts(
    policy: Policy,
    sampler: Sampler,
    problems: list[Problem],
    n_per_prompt: int,
    decoding: Decoding,
    generator: torch.Generator,
    *,
    thinking: bool | None = None,
) -> list[Rollout]:
    """Sample n rollouts of each problem, group after group; not graded yet."""
    prompts = [policy.prompt_ids(problem, decoding.max_response_tokens, thinking=thinking) for problem in problems]
    seeds = torch.randint(2**62, (len(prompts),), generator=generator).tolist()
    answers = sampler.sample(prompts, n_per_prompt, decoding, seeds)
    return [
        Rollout(
            problem=problems[row // n_per_prompt],
            group=row // n_per_prompt,
            prompt_ids=prompts[row // n_per_prompt],
            token_ids=answer.token_ids,
            logprobs=answer.logprobs,
            text=policy.text(answer.token_ids),
            is_truncated=answer.is_truncated,
        )
        for row, answer in enumerate(answers)
    ]


def grade_rollouts(rollouts: list[Rollout], *, in_benchmark: bool = False) -> None:
    """Grade answers; the grade's value is the reward until a stage says otherwise.

    In a stage, rows about preference get no grade: to compare their answers costs a judge's time, and their reward is learned.
    """
    graded = rollouts if in_benchmark else [r for r in rollouts if r.problem.grader != PREFERENCE]
    for rollout, grade in zip(graded, split_work(graded, _grades), strict=True):
        rollout.grade, rollout.reward = grade, grade.value
    for rollout in rollouts if len(graded) < len(rollouts) else ():
        rollout.is_rewarded = rollout.problem.grader != PREFERENCE


def _grades(rollouts: list[Rollout]) -> list[Grade]:
    """Have each domain grade its answers, all at once."""
    found: dict[int, Grade] = {}
    for domain in dict.fromkeys(r.problem.domain for r in rollouts):
        members = [row for row, r in enumerate(rollouts) if r.problem.domain == domain]
        problems, texts = [rollouts[row].problem for row in members], [rollouts[row].text for row in members]
        found |= zip(members, domain_of(domain).grade(problems, texts), strict=True)
    return [found[row] for row in range(len(rollouts))]

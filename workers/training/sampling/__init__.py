"""Sampling answers: the engines there are, and rollouts made with them.

To add an engine: a module here with a class of the shape of `Sampler`, and an entry in ENGINES.
"""

from collections.abc import Callable

import torch

from workers.training.policy import Policy
from workers.training.rollouts import Problem, Rollout
from workers.training.sampling.engine import Answer, Decoding, Sampler
from workers.training.sampling.torch_sampler import TorchSampler

__all__ = ["ENGINES", "Answer", "Decoding", "Sampler", "sample_rollouts"]

ENGINES: dict[str, Callable[[Policy], Sampler]] = {"torch": TorchSampler}


def sample_rollouts(
    policy: Policy,
    sampler: Sampler,
    problems: list[Problem],
    n_per_prompt: int,
    decoding: Decoding,
    generator: torch.Generator,
) -> list[Rollout]:
    """Sample n rollouts of each problem, group after group; not graded yet."""
    prompts = [policy.prompt_ids(problem, decoding.max_response_tokens) for problem in problems]
    answers = sampler.sample(prompts, n_per_prompt, decoding, generator)
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

"""Sampling answers: one seam, and the engines behind it.

An engine is made from the policy it samples for, and is given new weights after each update. To add one: a module
here with a class of the shape of `Sampler`, and an entry in ENGINES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from workers.training.policy import Policy
from workers.training.rollouts import Problem, Rollout
from workers.training.sampling.torch_sampler import TorchSampler


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen: `temperature` 0 is greedy, `top_p` 1 keeps the whole vocabulary."""

    temperature: float
    top_p: float
    max_response_tokens: int


@dataclass(frozen=True)
class Answer:
    """One sampled response; it ends with an end-of-sequence token unless it was cut off.

    `logprobs` are of the sampled tokens at the sampling temperature (greedy: at 1), before any nucleus is cut out:
    what the trainer computes as well.
    """

    token_ids: list[int]
    logprobs: list[float]
    is_truncated: bool


class Sampler(Protocol):
    """What an engine offers."""

    def sample(
        self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, generator: torch.Generator
    ) -> list[Answer]:
        """Sample n answers to each prompt; returns those of the first prompt, then those of the second, and so on."""
        ...

    def load_weights(self, policy: Policy) -> None:
        """Sample with the policy's weights of this moment from now on."""
        ...

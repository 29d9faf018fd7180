"""The seam between the loop and whatever samples: what goes in, what comes out, what an engine offers."""

from dataclasses import dataclass
from typing import Protocol

from workers.training.policy import Policy


class Decoding(Protocol):
    """How tokens are chosen; the specs of rollout stages and of benchmarks have this shape."""

    @property
    def temperature(self) -> float:
        """0 is greedy."""
        ...

    @property
    def top_p(self) -> float:
        """1 keeps the whole vocabulary."""
        ...

    @property
    def max_response_tokens(self) -> int: ...


@dataclass(frozen=True)
class Answer:
    """One sampled response; it ends with an end-of-sequence token unless it was cut off.

    `logprobs` are of the sampled tokens at the sampling temperature (greedy: at 1), before any nucleus is cut out:
    the same quantity that the trainer computes.
    """

    token_ids: list[int]
    logprobs: list[float]
    is_truncated: bool


class Sampler(Protocol):
    """What an engine offers. It is made from the policy that it samples for."""

    def sample(self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, seeds: list[int]) -> list[Answer]:
        """Sample n answers to each prompt; returns those of the first prompt, then those of the second, and so on.

        seeds: one a prompt, on which its answers depend, and on nothing that is sampled beside it.
        """
        ...

    def load_weights(self, policy: Policy) -> None:
        """Sample with the policy's weights of this moment from now on."""
        ...

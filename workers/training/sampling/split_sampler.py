"""Sampling in several processes: each has an engine of its own, for its part of the prompts.

What an answer is depends on its prompt's seed alone, so it does not matter which process samples it.
"""

from workers.training.distributed import split_work, whole
from workers.training.policy import Policy
from workers.training.sampling.engine import Answer, Decoding, Sampler


class SplitSampler:
    """An engine of several processes that train one policy together."""

    def __init__(self, engine: Sampler, policy: Policy) -> None:
        self.engine, self.policy = engine, policy

    def load_weights(self, policy: Policy) -> None:
        """Nothing is copied yet: the weights are brought together while the engine needs them."""
        self.policy = policy

    def sample(self, prompts: list[list[int]], n_per_prompt: int, decoding: Decoding, seeds: list[int]) -> list[Answer]:
        """Sample n answers to each prompt, this process to its part of them; everybody gets all."""

        def sample_part(part: list[tuple[list[int], int]]) -> list[Answer]:
            own, own_seeds = [prompt for prompt, _ in part], [seed for _, seed in part]
            return self.engine.sample(own, n_per_prompt, decoding, own_seeds) if own else []

        with whole(self.policy) as together:
            self.engine.load_weights(together)
            return split_work(list(zip(prompts, seeds, strict=True)), sample_part)

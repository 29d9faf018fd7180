"""Which domains a step's problems come from: exact shares over time, evenly interleaved, the same on every run."""

import random
from collections.abc import Iterator

from workers.training.domains import draw
from workers.training.rollouts import Problem
from workers.training.seeds import python_rng


class Mixture:
    """Gives the problems of each step; steps are asked for in rising order, counted from 1."""

    def __init__(
        self, weights: dict[str, float], n_per_step: int, *, early: dict[str, float], early_steps: int
    ) -> None:
        self.n_per_step = n_per_step
        self.early_steps = early_steps
        self.first = interleave({**weights, **early})
        self.rest = interleave(weights)
        self.next_step = 1

    def domains_of(self, step: int) -> list[str]:
        """Name the domains of a step's problems; a resumed stage skips the steps that it has behind it."""
        assert step >= self.next_step
        while True:
            source = self.first if self.next_step <= self.early_steps else self.rest
            domains = [next(source) for _ in range(self.n_per_step)]
            self.next_step += 1
            if self.next_step > step:
                return domains

    def problems_of(self, step: int, rng: random.Random, *, for_demonstration: bool = False) -> list[Problem]:
        """Draw a step's problems from the training split."""
        return [draw(name, "train", rng, for_demonstration=for_demonstration) for name in self.domains_of(step)]


def interleave(weights: dict[str, float]) -> Iterator[str]:
    """Repeat names in proportion to their weights, never more than one turn from their exact share.

    This is smooth weighted round-robin (nginx, ngx_http_upstream_round_robin.c); equal weights give plain turns.
    """
    total = sum(weights.values())
    lead = dict.fromkeys(weights, 0.0)
    while True:
        for name, weight in weights.items():
            lead[name] += weight
        chosen = max(lead, key=lambda name: lead[name])
        lead[chosen] -= total
        yield chosen


def step_rng(seed: int, stage: str, step: int) -> random.Random:
    """Seed the generator of one step's problems."""
    return python_rng(seed, stage, step, "problems")


def other_problems(domains: list[str], seed: int, stage: str, step: int, round_: int) -> list[Problem]:
    """Draw problems in place of a step's, one for each domain given; rounds are counted from 1."""
    rng = python_rng(seed, stage, step, round_, "problems")
    return [draw(domain, "train", rng) for domain in domains]

"""What one step of a stage holds and computes: its prompts and answers in tokens, and the FLOPs they take.

Rollouts are taken as long as LENGTHS says: nobody knows before they are sampled.
"""

import math
from dataclasses import dataclass
from typing import Literal

from workers.catalogue import describe
from workers.model_shape import ModelShape
from workers.spec import SFTSpec, StageSpec

Case = Literal["low", "expected", "high"]


@dataclass(frozen=True)
class Range:
    """A prediction: what it most likely is, and what it will hardly be below or above."""

    low: float
    expected: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)


LENGTHS = Range(0.25, 0.75, 1.0)  # of max_response_tokens
DEMONSTRATIONS = Range(4, 7, 14)  # tokens of a demonstration; the domains' means
PROMPTS = Range(0.7, 0.9, 1.0)  # of the domains' longest prompts


@dataclass(frozen=True)
class Load:
    """The sizes of one step: `groups` prompts of `prompt` tokens, with `members` answers of `response` tokens each."""

    groups: int
    members: int
    prompt: float
    response: float
    limit: float = math.inf  # of a micro-batch, in tokens

    @property
    def answers(self) -> int:
        return self.groups * self.members

    @property
    def response_tokens(self) -> float:
        return self.answers * self.response

    @property
    def row_tokens(self) -> float:
        """Tokens of the update: a group's prompt once, and of each answer all but the last."""
        return self.groups * (self.prompt + self.members * (self.response - 1))

    @property
    def batch_tokens(self) -> float:
        """M: tokens of one micro-batch, which one answer alone may exceed."""
        return min(self.row_tokens, max(self.limit, self.prompt + self.response - 1))

    @property
    def batch_answers(self) -> float:
        """Answers of one micro-batch."""
        return self.answers * self.batch_tokens / self.row_tokens


def update_flops(shape: ModelShape, load: Load) -> float:
    """Count the FLOPs of forward and backward through a step's rows."""
    head = 2 * shape.vocabulary * shape.hidden * load.response_tokens
    pairs = load.answers * load.response * (load.prompt + load.response / 2) + load.groups * load.prompt**2 / 2
    return 3 * (2 * shape.block_parameters * load.row_tokens + head + 4 * shape.queries * shape.layers * pairs)


def sampling_flops(shape: ModelShape, load: Load) -> float:
    """Count the FLOPs of sampling: a group's prompt once, then each answer's tokens one by one."""
    token = 2 * (shape.block_parameters + shape.vocabulary * shape.hidden)
    context = load.prompt + load.response / 2
    answers = load.response_tokens * (token + 4 * shape.queries * shape.layers * context)
    return answers + load.groups * load.prompt * 2 * shape.block_parameters


def load_of(stage: StageSpec, case: Case) -> Load:
    """Say what a step of a stage holds, or each process's share of it."""
    total = sum(stage.domains.values())
    longest = sum(weight * describe(name).max_prompt_tokens for name, weight in stage.domains.items()) / total
    prompt = getattr(PROMPTS, case) * longest
    if isinstance(stage, SFTSpec):
        answers = math.ceil(stage.batch_size / stage.processes)
        return Load(answers, 1, prompt, getattr(DEMONSTRATIONS, case), stage.micro_batch_tokens)
    response = max(1.0, getattr(LENGTHS, case) * stage.max_response_tokens)
    groups = math.ceil(stage.prompts_per_step / stage.processes)
    return Load(groups, stage.rollouts_per_prompt, prompt, response, stage.micro_batch_tokens)

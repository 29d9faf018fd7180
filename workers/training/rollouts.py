"""Problems, grades and sampled answers: the nouns that pass through the loop."""

from dataclasses import dataclass, field, replace

FAILED = "grader failed"
"""The part of a grade that marks a failure of the grader, never a mistake of the answer."""


@dataclass(frozen=True)
class Turn:
    """One message of a conversation; `role` is a chat template's: system, user, assistant, tool."""

    role: str
    content: str


@dataclass(frozen=True)
class Problem:
    """One question of a domain; `key` names it across splits and runs, `reference` is what its grader needs.

    A row of a data set names its `grader`, may ask in several `turns` (the prompt is the last) and may offer `tools`, a JSON list.
    """

    domain: str
    key: str
    prompt: str
    reference: dict[str, object]
    grader: str = ""
    turns: tuple[Turn, ...] = ()
    tools: str = ""


@dataclass(frozen=True)
class Grade:
    """What an answer is worth, 0 to 1; `parts` says why, in names a reader understands."""

    value: float
    parts: dict[str, float | str] = field(default_factory=dict)


@dataclass
class Rollout:
    """One sampled answer to a problem; `group` numbers the step's prompts.

    `token_ids` end with the end-of-sequence token unless the answer was cut off; `logprobs` are the sampler's, one a token.
    `reward` is what the stage trains on (a grade, or a learned reward), and `advantage` what the stage made of it.
    `is_rewarded` is false where nothing grades or rewards it, whose reward then means nothing.
    `old_logprobs` are the trainer's before the batch's first update, where the rollout belongs to a later one.
    """

    problem: Problem
    group: int
    prompt_ids: list[int]
    token_ids: list[int]
    logprobs: list[float]
    text: str
    is_truncated: bool
    grade: Grade = field(default_factory=lambda: Grade(0.0))
    reward: float = 0.0
    advantage: float = 0.0
    old_logprobs: list[float] | None = None
    is_rewarded: bool = True


@dataclass(frozen=True)
class Batch:
    """A step's graded answers: as drawn, and as trained on, where some groups may have been replaced.

    What is recorded of answers is of those drawn: those that replace others are chosen by their rewards.
    """

    drawn: list[Rollout]
    rollouts: list[Rollout]
    n_tokens_replaced: int = 0

    @property
    def n_tokens(self) -> int:
        """All that were sampled, replaced answers included."""
        return sum(len(rollout.token_ids) for rollout in self.rollouts) + self.n_tokens_replaced

    def with_groups(self, fresh: list[Rollout]) -> "Batch":
        """Put groups in the place of those with the same numbers."""
        numbers = {rollout.group for rollout in fresh}
        kept = [rollout for rollout in self.rollouts if rollout.group not in numbers]
        n_replaced = sum(len(rollout.token_ids) for rollout in self.rollouts if rollout.group in numbers)
        rollouts = sorted([*kept, *fresh], key=lambda rollout: rollout.group)
        return replace(self, rollouts=rollouts, n_tokens_replaced=self.n_tokens_replaced + n_replaced)

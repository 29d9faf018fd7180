"""Problems, grades and sampled answers: the nouns that pass through the loop."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem:
    """One question of a domain; `key` names it across splits and runs, `reference` is what its grader needs."""

    domain: str
    key: str
    prompt: str
    reference: dict[str, object]


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

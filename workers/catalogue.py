"""The domains there are: what the web and the trainer both need to know of each.

A team's data sets are domains too, in the recipes that name them; they go by their own names.

The code of a domain is `workers/training/domains/<name>.py`. To add one: that file, an entry here, a test file.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """A source of problems that can grade answers."""

    title: str
    label: str  # column header, at most 10 letters
    chance: float  # score of random guessing among well-formed answers, 0 to 1
    max_prompt_tokens: int  # longest prompt with its chat frame, in the tiny tokenizer
    learned_reward: bool = False  # the training reward is a reward model; the benchmark knows the true preference


DOMAINS: dict[str, Domain] = {
    "instructions": Domain("Instruction following", "IF", chance=0.0, max_prompt_tokens=12),
    "stem": Domain("STEM", "STEM", chance=0.25, max_prompt_tokens=10),
    "tools": Domain("Tool calling", "Tool", chance=0.0, max_prompt_tokens=11),
    "structure": Domain("Structured output", "Struct", chance=0.0, max_prompt_tokens=7),
    "preference": Domain("Human preference", "Pref", chance=0.5, max_prompt_tokens=10, learned_reward=True),
    "long_context": Domain("Long context", "Long", chance=0.0, max_prompt_tokens=26),
    "coding": Domain("Code", "Code", chance=0.0, max_prompt_tokens=18),
    "engineering": Domain("Software engineering", "SWE", chance=0.0, max_prompt_tokens=24),
}

# What judges a team's own rows; the code of a grader is `workers/training/graders/<name>.py`, or a folder of that name.
GRADERS: dict[str, str] = {
    "maths": "maths: the last answer, equal in value",
    "choice": "choice: a letter among options",
    "constraints": "constraints: instructions of IFEval and IFBench",
    "calls": "calls: tool calls, or JSON that fits a schema",
    "exact": "exact: the same text",
    "contains": "contains: a text that must occur",
    "programs": "programs: tests of a Python program or function",
    "patches": "patches: tests of a repository that the row carries",
    "judged": "judged: a model compares with the expected answer or patch",
    "preference": "preference: a model says which of two answers is better",
}

# These graders ask a judge; in training, the second's reward is a reward model's.
JUDGED, PREFERENCE = "judged", "preference"

ROW_PROMPT_TOKENS = 512  # a data set's longest prompt, as estimates take it before its rows are tokenized


def in_order(names: Iterable[str]) -> list[str]:
    """Bring domains into the catalogue's order, data sets after them as they come: the order decides how a mix interleaves."""
    given = list(names)
    return [*(name for name in DOMAINS if name in given), *(name for name in given if name not in DOMAINS)]


_WIDEST_LABEL = 10  # letters


def describe(name: str) -> Domain:
    """Describe a domain: the catalogue's, or a data set, of which no more than its name is known here."""
    label = name if len(name) <= _WIDEST_LABEL else f"{name[: _WIDEST_LABEL - 1]}…"
    return DOMAINS.get(name) or Domain(name, label, chance=0.0, max_prompt_tokens=ROW_PROMPT_TOKENS)

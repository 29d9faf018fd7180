"""Where problems come from: a module per domain, all of the same shape, and how their problems are split.

A data set is a domain too, for the process whose spec names it (`add_data`): its problems are rows, not generated.
To add a domain: its file here, an entry in `workers/catalogue.py`, a test. docs/domains.md walks through it.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from workers import catalogue
from workers.training.judge import judge_of_recipe
from workers.training.rollouts import Grade, Problem

if TYPE_CHECKING:
    from workers.training.data_sets.domain import DataSetDomain

Split = Literal["train", "validation", "test"]

_MAX_DRAWS = 2000


class Domain(Protocol):
    """What every domain offers, whether its problems are generated or rows of a data set."""

    VERSION: int
    """Goes up with any change to the problems or the grader, so that scores of different versions are never mixed."""

    def demonstrate(self, problem: Problem, rng: random.Random, *, style_noise: float) -> str:
        """Write an answer to learn from: the graded style, or with probability `style_noise` (0 to 1) another one."""
        ...

    def grade(self, problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
        """Grade a batch: a bad response is a 0 with a reason in `parts`, a malformed problem raises."""
        ...


class DomainModule(Domain, Protocol):
    """What the module of a domain offers. The module of a domain with a learned reward offers more: see `preference.py`."""

    def make_problem(self, rng: random.Random, *, for_demonstration: bool = False) -> Problem:
        """Make one problem of any split; a demonstration's may be easier than those of reinforcement learning and tests."""
        ...


class PairMaker(Protocol):
    """What the module of a domain with a learned reward offers on top of the others."""

    def preference_pair(self, problem: Problem, rng: random.Random, **habits: float) -> tuple[str, str]:
        """Make a (chosen, rejected) pair of answers."""
        ...


DOMAINS: dict[str, DomainModule] = {
    name: cast(DomainModule, import_module(f"{__name__}.{name}")) for name in catalogue.DOMAINS
}


_DATA_SETS: dict[str, "DataSetDomain"] = {}


def add_data(folders: Mapping[str, Path]) -> None:
    """Make data sets domains of this process, by the names that its spec gives them; raises BadSpecError for one without rows."""
    from workers.training.data_sets.domain import DataSetDomain

    for name, folder in folders.items():
        _DATA_SETS[name] = DataSetDomain(name, folder)


def domain_of(name: str) -> Domain:
    """Find a domain by its name; KeyError if there is none."""
    return _DATA_SETS[name] if name in _DATA_SETS else DOMAINS[name]


def split_of(key: str) -> Split:
    """Tell which split a problem belongs to, from its key alone: 60 % train, 20 % validation, 20 % test."""
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 100
    if share < 60:
        return "train"
    return "validation" if share < 80 else "test"


def draw(domain: str, split: Split, rng: random.Random, *, for_demonstration: bool = False) -> Problem:
    """Draw a problem of one split."""
    if domain in _DATA_SETS:
        return _DATA_SETS[domain].draw(split, rng, for_demonstration=for_demonstration)
    module = DOMAINS[domain]
    for _ in range(_MAX_DRAWS):
        problem = module.make_problem(rng, for_demonstration=for_demonstration)
        if split_of(problem.key) == split:
            return problem
    raise RuntimeError(f"domain '{domain}' gave no {split} problem in {_MAX_DRAWS} draws; widen its make_problem")


def has_learned_reward(domain: str) -> bool:
    """Tell whether a stage rewards answers to some problems of a domain by a reward model."""
    return _DATA_SETS[domain].has_preferences if domain in _DATA_SETS else catalogue.DOMAINS[domain].learned_reward


def judge_of(domain: str) -> dict[str, str]:
    """Say which judge grades a domain's answers, as part of what its scores are; nothing where none does."""
    is_judged = domain in _DATA_SETS and _DATA_SETS[domain].asks_judge
    return {"judge": judge_of_recipe().label} if is_judged else {}


def draw_pair(domain: str, rng: random.Random, **habits: float) -> tuple[Problem, tuple[str, str]]:
    """Draw a training problem with the chosen and the rejected answer to it; `habits` are of annotators that are played."""
    if domain in _DATA_SETS:
        return _DATA_SETS[domain].draw_pair(rng)
    problem = draw(domain, "train", rng)
    return problem, cast(PairMaker, DOMAINS[domain]).preference_pair(problem, rng, **habits)


def benchmark_problems(domain: str, split: Split, n: int) -> list[Problem]:
    """List n distinct problems, the same for every run: only the domain, its version and the split decide them.

    A longer list begins with the shorter one. Raises ValueError if the domain has fewer problems than n.
    """
    if domain in _DATA_SETS:
        return _DATA_SETS[domain].first(split, n)
    rng = random.Random(f"{domain}:{split}:{DOMAINS[domain].VERSION}")
    found: dict[str, Problem] = {}
    for _ in range(_MAX_DRAWS + 20 * n):
        if len(found) == n:
            break
        problem = draw(domain, split, rng)
        found.setdefault(problem.key, problem)
    if len(found) < n:
        raise ValueError(
            f"found {len(found)} distinct {split} problems of domain '{domain}', expected {n}; ask for fewer problems in its benchmark"
        )
    return list(found.values())

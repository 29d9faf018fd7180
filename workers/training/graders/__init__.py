"""What judges the answers to a team's own rows: a module per grader, all of the same shape. A row names its grader.

To add a grader: its file here, its name in `GRADERS`, a test. docs/graders.md walks through it.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from workers.training.rollouts import Grade, Problem


class GraderModule(Protocol):
    """What the module of a grader offers. It needs no torch, and sets no time limit: `grade_apart.py` does."""

    VERSION: int
    """Goes up with any change to what an answer is worth, so that scores of different versions are never mixed."""

    def check(self, reference: Mapping[str, object]) -> None:
        """Raise ValueError, saying what was found and what was expected, for a row that cannot be graded."""
        ...

    def grade(self, problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
        """Grade a batch: a bad response is a 0 with a reason in `parts`, a malformed reference raises as `check` does."""
        ...


GRADERS: dict[str, GraderModule] = {
    name: cast(GraderModule, import_module(f"{__name__}.{name}"))
    for name in (
        "maths",
        "choice",
        "constraints",
        "calls",
        "exact",
        "contains",
        "programs",
        "patches",
        "judged",
        "preference",
    )
}

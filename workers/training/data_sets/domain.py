"""A data set as a domain: the same shape as the modules in `domains/`, with rows instead of generated problems."""

import json
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from workers.catalogue import JUDGED, PREFERENCE
from workers.data_dir import DataDir, RowRecord, is_upgradable
from workers.stage_dir import read_records
from workers.training.bad_spec import BadSpecError
from workers.training.grade_apart import grade_apart
from workers.training.graders import GRADERS
from workers.training.graders.preference import pair_of
from workers.training.judge import has_judge
from workers.training.rollouts import Grade, Problem, Turn


class DataSetDomain:
    """The rows of one data set, which its graders judge; where the process has a judge, that one grades what it can better."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        rows, _ = read_records(DataDir(folder).rows, RowRecord)
        if not rows:
            raise BadSpecError(f"found no rows of data set '{name}' in {folder.name}; register it again")
        self._problems = {split: [self._problem(row) for row in rows if row.split == split] for split in _SPLITS}
        self._responses = {row.key: row.response for row in rows if row.response}
        self._pairs = {row.key: pair for row in rows if row.grader == PREFERENCE and (pair := pair_of(row.reference))}
        used = sorted({_grader_of(row) for row in rows})
        self.has_preferences = PREFERENCE in used
        self.asks_judge = not {JUDGED, PREFERENCE}.isdisjoint(used)  # then which judge is part of what a score is
        self.VERSION = sum(GRADERS[grader].VERSION for grader in used)  # goes up with any of them

    def draw(self, split: str, rng: random.Random, *, for_demonstration: bool = False) -> Problem:
        """Draw a row of one split; for a demonstration one that has a response."""
        problems = self._problems[split]
        if for_demonstration:
            problems = [problem for problem in problems if problem.key in self._responses]
        if not problems:
            kind = "rows with a response" if for_demonstration else "rows"
            raise BadSpecError(
                f"found no {split} {kind} in data set '{self.name}'; give it some, or drop it from the stage"
            )
        return rng.choice(problems)

    def first(self, split: str, n: int) -> list[Problem]:
        """List the first n rows of a split; raises ValueError if there are fewer."""
        problems = self._problems[split]
        if len(problems) < n:
            raise ValueError(
                f"found {len(problems)} {split} rows in data set '{self.name}', expected {n}; ask for fewer in its benchmark"
            )
        return problems[:n]

    def draw_pair(self, rng: random.Random) -> tuple[Problem, tuple[str, str]]:
        """Draw a training row with the chosen and the rejected answer to it; raises BadSpecError where there is none."""
        problems = [problem for problem in self._problems["train"] if problem.key in self._pairs]
        if not problems:
            raise BadSpecError(
                f"found no training row with chosen and rejected in data set '{self.name}', expected pairs to train a reward "
                "model on; give it some, or take a reward model of another kind"
            )
        problem = rng.choice(problems)
        return problem, self._pairs[problem.key]

    def demonstrate(self, problem: Problem, rng: random.Random, *, style_noise: float) -> str:
        """Give the row's own response; style noise is for the tiny domains."""
        return self._responses[problem.key]

    def grade(self, problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
        """Have each row's grader judge its answers, all of a grader at once."""
        found: dict[int, Grade] = {}
        for grader in dict.fromkeys(problem.grader for problem in problems):
            members = [number for number, problem in enumerate(problems) if problem.grader == grader]
            asked = [problems[n] for n in members]
            judge = partial(grade_apart, grader) if _is_judged_apart(grader, asked) else GRADERS[grader].grade
            found |= zip(members, judge(asked, [responses[n] for n in members]), strict=True)
        return [found[number] for number in range(len(problems))]

    def _problem(self, row: RowRecord) -> Problem:
        turns = tuple(Turn(message.role, message.content) for message in row.messages)
        return Problem(
            domain=self.name,
            key=row.key,
            prompt=turns[-1].content,
            reference=dict(row.reference),
            grader=_grader_of(row),
            turns=turns,
            tools=json.dumps(row.tools) if row.tools else "",
        )


def _grader_of(row: RowRecord) -> str:
    return JUDGED if is_upgradable(row) and has_judge() else row.grader


def _is_judged_apart(grader: str, problems: Sequence[Problem]) -> bool:
    """Tell whether an answer may hold the grader up for ever; the others are bounded, or use the sandbox."""
    return grader in _APART or any("pattern" in problem.reference for problem in problems)


_SPLITS = ("train", "validation", "test")
_APART = ("maths", "constraints", "calls")

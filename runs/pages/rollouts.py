"""Sampled answers of a step, read from a stage's folder and grouped by prompt."""

from dataclasses import dataclass
from statistics import fmean

from workers.stage_dir import RolloutRecord, StageDir, read_records, step_name, step_of


@dataclass(frozen=True)
class Group:
    """The answers to one prompt."""

    prompt: str
    domain: str
    answers: list[RolloutRecord]

    @property
    def mean_reward(self) -> float:
        return fmean(answer.reward for answer in self.answers)


@dataclass(frozen=True)
class Sample:
    """What was kept of one step, and the kept steps beside it."""

    step: int
    groups: list[Group]
    earlier: int | None
    later: int | None

    @property
    def is_latest(self) -> bool:
        return self.later is None


def read_sample(folder: StageDir, *, asked: str = "") -> Sample | None:
    """Read the asked step's sample, the latest where none or an unknown one is asked; None where nothing is kept yet."""
    steps = sorted(step_of(path) for path in folder.rollouts.glob("step_*.jsonl"))
    if not steps:
        return None
    at = next((place for place, step in enumerate(steps) if str(step) == asked), len(steps) - 1)
    records, _ = read_records(folder.rollouts / f"{step_name(steps[at])}.jsonl", RolloutRecord)
    return Sample(
        step=steps[at],
        groups=_grouped(records),
        earlier=steps[at - 1] if at > 0 else None,
        later=steps[at + 1] if at + 1 < len(steps) else None,
    )


def _grouped(records: list[RolloutRecord]) -> list[Group]:
    by_group: dict[int, list[RolloutRecord]] = {}
    for record in records:
        by_group.setdefault(record.group, []).append(record)
    return [Group(answers[0].prompt, answers[0].domain, answers) for answers in by_group.values()]

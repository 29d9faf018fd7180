"""What a stage writes while it runs: metrics, a sample of its rollouts, and what it is doing right now."""

import time
from collections import defaultdict
from statistics import fmean

from workers.stage_dir import (
    Progress,
    RolloutRecord,
    StageDir,
    StepRecord,
    append_record,
    step_name,
    write_document,
    write_text,
)
from workers.training.distributed import gather, is_first
from workers.training.judge import take_counts
from workers.training.rollouts import Rollout
from workers.training.update import Update

PROGRESS_EVERY_S = 0.25
ROLLOUTS_EVERY = 10
GROUPS_KEPT = 2


class Reporter:
    """Keeps progress.json up to date, tells how long is left from the pace of this process, and times substeps."""

    def __init__(self, folder: StageDir, steps: int) -> None:
        self.folder = folder
        self.steps = steps
        self.step = 0
        self.first_step: int | None = None
        self.started = 0.0
        self.written = 0.0
        self.substep, self.since = "", time.monotonic()
        self.seconds: dict[str, float] = {}

    def begin_steps(self, done: int) -> None:
        """Start the clock of the estimate: `done` steps are behind us."""
        self.step, self.first_step, self.started = done, done, time.monotonic()
        self.substep, self.since, self.seconds = "", self.started, {}

    def end_step(self, step: int) -> dict[str, float]:
        """Count a step as done; returns the seconds that each of its substeps took."""
        self.step = step
        seconds, self.seconds = self.seconds, {}
        return seconds

    def tell(self, substep: str, *, now: bool = False) -> None:
        """Say what is being done; most calls write nothing, because readers look a few times a second at most."""
        clock = time.monotonic()
        self.seconds[self.substep] = self.seconds.get(self.substep, 0.0) + clock - self.since
        self.substep, self.since = substep, clock
        if not is_first() or (not now and clock - self.written < PROGRESS_EVERY_S):
            return
        self.written = clock
        progress = Progress(substep=substep, step=self.step, steps=self.steps, at=time.time(), eta_s=self._eta_s(clock))
        write_document(self.folder.progress, progress)

    def _eta_s(self, clock: float) -> float | None:
        if self.first_step is None or self.step == self.first_step:
            return None
        return (clock - self.started) / (self.step - self.first_step) * (self.steps - self.step)


def record_step(folder: StageDir, step: int, metrics: dict[str, float]) -> None:
    """Append a step's metrics."""
    append_record(folder.steps, StepRecord(step=step, at=time.time(), metrics=metrics))


def record_rollouts(folder: StageDir, step: int, rollouts: list[Rollout]) -> None:
    """Keep two groups of the first and of every tenth step; which ones rotates, so that every domain is seen."""
    if step != 1 and step % ROLLOUTS_EVERY:
        return
    n_groups = max(rollout.group for rollout in rollouts) + 1
    first = step // ROLLOUTS_EVERY * GROUPS_KEPT
    kept = {(first + i) % n_groups for i in range(GROUPS_KEPT)}
    lines = [_rollout_record(step, r) for r in rollouts if r.group in kept]
    write_text(folder.rollouts / f"{step_name(step)}.jsonl", "".join(r.model_dump_json() + "\n" for r in lines))


def rollout_metrics(rollouts: list[Rollout]) -> dict[str, float]:
    """Summarise sampled answers: mean reward overall and per domain, mean length in tokens, share cut off.

    What has neither a grade nor a learned reward, rows about preference in a MOPD stage, has no mean reward.
    """
    rewarded = [r for r in rollouts if r.is_rewarded]
    return {
        **({"reward": fmean(r.reward for r in rewarded)} if rewarded else {}),
        **by_domain("reward", rewarded, [r.reward for r in rewarded]),
        "response_tokens": fmean(len(r.token_ids) for r in rollouts),
        "truncated": fmean(r.is_truncated for r in rollouts),
    }


def judge_metrics() -> dict[str, float]:
    """Say what the step asked of judges, in all processes: questions, those answered from what was kept, failures, tokens."""
    counts = gather(take_counts())
    return {f"judge_{name}": float(sum(found[name] for found in counts)) for name in counts[0]}


def ratio_metrics(update: Update) -> dict[str, float]:
    """Tell how far trainer and sampler are apart: mean, least and greatest ratio of the probabilities they give tokens."""
    return {"ratio_mean": update.ratio_mean, "ratio_min": update.ratio_min, "ratio_max": update.ratio_max}


def by_domain(name: str, rollouts: list[Rollout], values: list[float]) -> dict[str, float]:
    """Average a value over the rollouts of each domain: '<name>/<domain>'."""
    found: dict[str, list[float]] = defaultdict(list)
    for rollout, value in zip(rollouts, values, strict=True):
        found[f"{name}/{rollout.problem.domain}"].append(value)
    return {key: fmean(group) for key, group in found.items()}


def _rollout_record(step: int, rollout: Rollout) -> RolloutRecord:
    return RolloutRecord(
        step=step,
        group=rollout.group,
        domain=rollout.problem.domain,
        prompt=rollout.problem.prompt,
        response=rollout.text,
        reward=rollout.reward,
        credit=rollout.advantage,
        n_tokens=len(rollout.token_ids),
        is_truncated=rollout.is_truncated,
        parts=rollout.grade.parts,
    )

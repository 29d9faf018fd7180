"""A run's state in words with numbers: the first line of its page, its progress in a list, what to do after a failure."""

import re

from django.utils import timezone

from runs.ingest import stage_folder
from runs.models import Checkpoint, Run, Stage, Status
from runs.templatetags.humane import ago, duration, points
from workers.stage_dir import StageDir, step_of

# What to do, where the reason itself does not say it; by the stable code of the failure.
_REMEDIES = {
    "error": "Read the end of its log, mend the cause, then retry.",
    "killed": "Free some memory or lower the batch, then retry.",
    "cannot_start": "Check the artifact folder and its disk, then retry.",
    "bad_task": "Put right what it names, then retry; the task's settings only another recipe changes.",
    "bad_spec": "A retry meets the same spec: change the recipe and launch a new run.",
    "corrupt_checkpoint": "Retry makes damaged checkpoints anew, with the same weights.",
    "cannot_record": "If a retry ends the same way, read the worker's log.",
}
_BY_URGENCY = (Status.FAILED, Status.STALE, Status.RUNNING, Status.PAUSED, Status.CANCELLED, Status.QUEUED)


def remedy(code: str) -> str:
    """Say what to do about a failure; empty where its reason says it."""
    return _REMEDIES.get(code, "")


def current_stage(run: Run) -> Stage:
    """The stage a reader looks for first: what failed or runs, else what comes next, else the last."""
    stages = list(run.stages.all())
    for status in _BY_URGENCY:
        found = next((stage for stage in stages if stage.shown_status == status), None)
        if found is not None:
            return found
    return stages[-1]


def progress(run: Run) -> str:
    """Say how far a run is: '4/9 · step 120/400 · sample'."""
    stages = list(run.stages.all())
    n_done = sum(stage.status == Status.SUCCEEDED for stage in stages)
    if n_done == len(stages):
        n_waiting = sum(not checkpoint.is_scored for checkpoint in run.checkpoints.all())
        return f"{n_done}/{n_done}" + (f" · {n_waiting} to score" if n_waiting else "")
    stage = current_stage(run)
    parts = [f"{stage.position + 1}/{len(stages)}"]
    if stage.step:
        parts.append(f"step {stage.step:,}/{stage.n_steps:,}")
    if stage.substep:
        parts.append(stage.substep)
    return " · ".join(parts)


def verdict(run: Run, means: dict[int | None, float]) -> str:
    """Say in a sentence or two where a run stands; `means` are mean scores by stage key, None for the base."""
    stages = list(run.stages.all())
    stage, status = current_stage(run), run.status
    if all(one.status == Status.SUCCEEDED for one in stages):
        return _when_trained(run, stages, means)
    place = f"stage {stage.position + 1} of {len(stages)}, {stage.name}"
    if status == Status.FAILED:
        failed = stage if stage.status == Status.FAILED else None
        return _when_failed(run, failed)
    if stage.status == Status.FAILED and status == Status.RUNNING:
        return f"{_when_failed(run, stage)} What does not wait for it goes on."
    if status == Status.PAUSED:
        return f"Paused at {place}, {_step(stage)}. Resume goes on from {_going_on(stage)}."
    if status == Status.CANCELLED:
        return f"Cancelled at {place}, {_step(stage)}. Checkpoints and scores up to there stay; retry goes on from {_going_on(stage)}."
    if status == Status.AWAITING_REVIEW:
        ends = "releases the run" if run.held_by else "approves what its gate found"
        return f"Held before {place}: what ran is done, and no stage starts until somebody {ends}."
    if stage.shown_status == Status.STALE:
        heard = ago(stage.lease_until)
        return f"{_upper(place)}, {_step(stage)}: its worker has been silent since {heard}; the next free worker goes on from {_going_on(stage)}."
    if stage.status == Status.RUNNING:
        return _when_running(place, stage, stages)
    scoring = next((c for c in run.checkpoints.all() if c.status == Status.RUNNING), None)
    waits = f"{_upper(place)}, waits for a worker."
    return f"{waits} {_scoring(scoring)}" if scoring else waits


def resume_step(folder: StageDir) -> int:
    """The step a stage would go on from: that of its last whole checkpoint, 0 where there is none."""
    found = [*folder.resume.glob("step_*"), *(folder.path / "checkpoints").glob("step_*")]
    return max((step_of(path) for path in found if path.name.removeprefix("step_").isdigit()), default=0)


def run_seconds(run: Run) -> float | None:
    """Wall time from the first claim to the last end, or to now while it goes on."""
    work = [*run.stages.all(), *run.checkpoints.all()]
    starts = [item.started_at for item in work if item.started_at]
    if not starts:
        return None
    is_going_on = run.status in (Status.QUEUED, Status.RUNNING, Status.STALE)
    ends = [item.finished_at for item in work if item.finished_at]
    end = timezone.now() if is_going_on or not ends else max(ends)
    return (end - min(starts)).total_seconds()


def _when_trained(run: Run, stages: list[Stage], means: dict[int | None, float]) -> str:
    trained = f"All {len(stages)} stages are trained" if len(stages) > 1 else "The stage is trained"
    checkpoints = list(run.checkpoints.all())
    failed = next((c for c in checkpoints if c.status == Status.FAILED), None)
    if failed is not None:
        return f"{trained}, but scoring {_name(failed)} failed: {_gist(failed)}."
    n_waiting = sum(not checkpoint.is_scored for checkpoint in checkpoints)
    if n_waiting:
        return f"{trained}; {n_waiting} of {len(checkpoints)} checkpoints are still to be scored."
    sentence = f"{trained} and scored in {duration(run_seconds(run))}."
    first, last = means.get(None), means.get(stages[-1].pk)
    if first is None or last is None:
        return sentence
    return f"{sentence} The mean score went from {points(first)} to {points(last)}."


def _when_failed(run: Run, stage: Stage | None) -> str:
    if stage is None:
        checkpoint = next(c for c in run.checkpoints.all() if c.status == Status.FAILED)
        return f"Scoring {_name(checkpoint)} failed: {_gist(checkpoint)}."
    return f"Failed at {stage.name}, {_step(stage)}: {_gist(stage)}. Retry goes on from {_going_on(stage)}."


def _gist(work: Stage | Checkpoint) -> str:
    """What went wrong, without the details and the advice that follow it; the whole is told below."""
    return re.split(r" \(|[;.] |\n", work.failure_reason, maxsplit=1)[0].rstrip(".")


def _when_running(place: str, stage: Stage, stages: list[Stage]) -> str:
    left = f", about {duration(stage.eta_s)} left in it" if stage.eta_s is not None and stage.eta_s >= 1 else ""
    doing = f", {_step(stage)}{left}" if stage.step else f", {stage.substep or 'starting'}"
    n_others = sum(other.status == Status.RUNNING for other in stages) - 1
    beside = f" {n_others} more {'runs' if n_others == 1 else 'run'} beside it." if n_others else ""
    return f"{_upper(place)}{doing}.{beside}"


def _scoring(checkpoint: Checkpoint) -> str:
    return f"The checkpoint of {_name(checkpoint)} is being scored."


def _name(checkpoint: Checkpoint) -> str:
    if checkpoint.is_mid_stage:
        return str(checkpoint)
    return checkpoint.stage.name if checkpoint.stage else "the base"


def _step(stage: Stage) -> str:
    return f"step {stage.step:,} of {stage.n_steps:,}" if stage.step else "before its first step"


def _going_on(stage: Stage) -> str:
    step = resume_step(stage_folder(stage))
    return f"step {step:,}" if step else "its start"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]

"""What the stage behind a change did in training: how its curves moved, and how it was set up unlike the stage before."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Q

from runs.drift.causes import thirds
from runs.models import Metric, Run, Stage
from runs.pages.figures import CURVES
from runs.pages.recipe_changes import stage_changes
from runs.pages.stage_lines import only_domain, stage_url
from workers.catalogue import describe, in_order
from workers.spec import BASE

_NO_ANSWERS = "SFT samples no answers"
_NO_KL = {
    "sft": "SFT has no start to stay close to",
    "grpo": "it is computed only where kl_coefficient is above 0",
    "mopd": "MOPD measures its distance to the teachers instead",
}


@dataclass(frozen=True)
class Trend:
    """A metric's mean over the first and the last third of a stage's steps, in the metric's unit."""

    title: str
    unit: str
    first: float
    last: float
    figure: str = ""  # the name of its curve


@dataclass(frozen=True)
class _Cause:
    metric: str
    figure: str


_CAUSES = tuple(_Cause(CURVES[name].metric, name) for name in (
    "kl", "reverse-kl", "length", "truncation", "entropy", "reward", "gradient",
))  # fmt: skip


def causes_view(run: Run, row: str) -> dict[str, Any] | None:
    """Show what is recorded of the stage that left this row; None for the base, which no stage of the run made."""
    stage = next((stage for stage in run.stages.all() if stage.name == row), None)
    if stage is None:
        return None
    found = _thirds(stage)
    trends = [
        Trend(CURVES[cause.figure].title, CURVES[cause.figure].unit, *found[cause.metric], cause.figure)
        for cause in _CAUSES
        if cause.metric in found
    ]
    return {
        "stage": stage,
        "domain": only_domain(stage),
        "url": stage_url(run, stage),
        "trends": trends,
        "rewards": _reward_parts(found),
        "missing": _missing(stage, found),
        "before": stage.starts_from.name if stage.starts_from else BASE,
        "changes": stage_changes(stage.starts_from.document, stage.document) if stage.starts_from else None,
    }


def _thirds(stage: Stage) -> dict[str, tuple[float, float]]:
    """Average every metric that may be a cause over the first and the last third of the steps, in one query."""
    until, since = thirds(stage.document["steps"])
    wanted = Q(name__in=[cause.metric for cause in _CAUSES]) | Q(name="true_reward") | Q(name__startswith="reward/")
    found = (
        Metric.objects.filter(wanted, stage=stage)
        .order_by()
        .values_list("name")
        .annotate(first=Avg("value", filter=Q(step__lte=until)), last=Avg("value", filter=Q(step__gte=since)))
    )
    return {name: (first, last) for name, first, last in found if first is not None and last is not None}


def _reward_parts(found: dict[str, tuple[float, float]]) -> list[Trend]:
    """The parts that the reward is the mean of, where there are several, and the true reward beside a learned one."""
    parts = [
        Trend(describe(domain).title, "", *found[f"reward/{domain}"])
        for domain in in_order(name.removeprefix("reward/") for name in found if name.startswith("reward/"))
    ]
    true = [Trend("True reward, beside the learned one", "", *found["true_reward"])] if "true_reward" in found else []
    return [*true, *(parts if len(parts) > 1 else [])]


def _missing(stage: Stage, found: dict[str, tuple[float, float]]) -> list[tuple[str, str]]:
    """Say what is not recorded, and why."""
    of_answers = _NO_ANSWERS if stage.kind == "sft" else "the trainer wrote none"
    reasons = {"kl": _NO_KL[stage.kind], "response_tokens": of_answers, "truncated": of_answers, "reward": of_answers}
    return [
        (CURVES[cause.figure].title, reasons.get(cause.metric, "the trainer wrote none"))
        for cause in _CAUSES
        if cause.metric not in found and (cause.metric != "reverse_kl" or stage.kind == "mopd")
    ]

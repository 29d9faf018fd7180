"""The run page's table: a line for the base and for each stage, with all that a reader asks of it."""

from dataclasses import dataclass

from django.db.models import Avg, Sum
from django.urls import reverse

from runs.drift import words
from runs.models import Checkpoint, Metric, Run, Score, Stage, Status
from runs.pages.run_words import remedy
from workers.catalogue import describe, in_order
from workers.spec import BASE


@dataclass(frozen=True)
class StageLine:
    """One line; `stage` is None for the base, whose line only tells of its scores."""

    stage: Stage | None
    url: str
    mean: float | None
    checkpoint: Checkpoint | None
    is_selected: bool = False

    @property
    def name(self) -> str:
        return self.stage.name if self.stage else BASE

    @property
    def kind(self) -> str:
        return self.stage.kind if self.stage else BASE

    @property
    def status(self) -> str:
        return self.stage.shown_status.label if self.stage else ""

    @property
    def domain(self) -> str:
        """The one domain it trains; empty where there are several, which have no hue of their own."""
        return only_domain(self.stage) if self.stage else ""

    @property
    def teachers(self) -> list[tuple[str, str]]:
        """Who teaches what, once that is decided: (stage, domains it teaches)."""
        return teachers_of(self.stage) if self.stage else []

    @property
    def is_under_way(self) -> bool:
        return self.stage is not None and self.stage.status == Status.RUNNING

    @property
    def may_retry(self) -> bool:
        return self.stage is not None and self.stage.status in (Status.FAILED, Status.CANCELLED)

    @property
    def remedy(self) -> str:
        return remedy(self.stage.failure_code) if self.stage else ""


def stage_lines(run: Run, *, means: dict[int | None, float], selected: Stage) -> list[StageLine]:
    """Make the table's lines, the base first where the run has one."""
    checkpoints = {checkpoint.stage_id: checkpoint for checkpoint in run.ends}
    lines = [
        StageLine(
            stage=stage,
            url=stage_url(run, stage),
            mean=means.get(stage.pk),
            checkpoint=checkpoints.get(stage.pk),
            is_selected=stage.pk == selected.pk,
        )
        for stage in run.stages.all()
    ]
    base = checkpoints.get(None)
    return [StageLine(stage=None, url="", mean=means.get(None), checkpoint=base), *lines] if base else lines


def unscored(run: Run) -> list[dict[str, str]]:
    """Tell of checkpoints whose scoring failed; those that failed for one reason are told of together."""
    names: dict[tuple[str, str], list[str]] = {}
    for checkpoint in run.checkpoints.all():
        if checkpoint.failure_reason:
            key = (checkpoint.failure_reason, remedy(checkpoint.failure_code))
            names.setdefault(key, []).append(_checkpoint_name(checkpoint))
    return [
        {"names": words.listed(found), "reason": reason, "remedy": advice} for (reason, advice), found in names.items()
    ]


def _checkpoint_name(checkpoint: Checkpoint) -> str:
    if checkpoint.is_mid_stage:
        return str(checkpoint)
    return checkpoint.stage.name if checkpoint.stage else BASE


def stage_url(run: Run, stage: Stage) -> str:
    """Where a stage is shown."""
    return reverse("runs:stage", args=(run.project.slug, run.number, stage.name))


def strip(run: Run, *, with_links: bool) -> list[dict[str, str]]:
    """What the stage strip shows, a square per stage."""
    return [
        {
            "name": stage.name,
            "kind": stage.kind,
            "status": stage.shown_status.label,
            "url": stage_url(run, stage) if with_links else "",
        }
        for stage in run.stages.all()
    ]


def mean_scores(run: Run) -> dict[int | None, float]:
    """The mean test score of every scored checkpoint, by its stage's key; None is the base."""
    found = (
        Score.objects.filter(checkpoint__run=run, benchmark__split="test", checkpoint__status=Status.SUCCEEDED)
        .filter(checkpoint__is_mid_stage=False)
        .values_list("checkpoint__stage", "checkpoint__at_step")
        .annotate(mean=Avg("mean"))
        .order_by("checkpoint__at_step")
    )
    return {stage: mean for stage, _, mean in found}


def trained_tokens(run: Run) -> float:
    """Tokens the run trained on: SFT counts its own, GRPO and MOPD sample so many answers of a mean length per step."""
    per_step = {
        stage.pk: stage.document["prompts_per_step"] * stage.document["rollouts_per_prompt"]
        for stage in run.stages.all()
        if stage.kind != "sft"
    }
    sums = (
        Metric.objects.filter(stage__run=run, name__in=("tokens", "response_tokens"))
        .order_by()
        .values_list("stage", "name")
        .annotate(total=Sum("value"))
    )
    total_tokens: float = sum(
        total * per_step.get(stage, 1)
        for stage, name, total in sums
        if (name == "response_tokens") == (stage in per_step)
    )
    return total_tokens


def only_domain(stage: Stage) -> str:
    """The one domain a stage trains, empty where there are several."""
    domains = list(stage.document["domains"])
    return domains[0] if len(domains) == 1 else ""


def teachers_of(stage: Stage) -> list[tuple[str, str]]:
    """Who teaches what, in the order of the domains: (stage, titles of the domains)."""
    chosen: dict[str, str] = (stage.resolved or {}).get("teachers") or {}
    taught: dict[str, list[str]] = {}
    for domain in in_order(chosen):
        taught.setdefault(chosen[domain], []).append(describe(domain).title)
    return [(teacher, ", ".join(titles)) for teacher, titles in taught.items()]

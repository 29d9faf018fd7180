"""Anchors: the place in a run that a thread is about, as one small document, in words, and as the address of the place."""

from typing import Annotated, Any, Literal

from django.urls import reverse
from pydantic import Field, TypeAdapter, ValidationError

from runs.models import Metric, Run, Score, Stage
from workers.catalogue import describe
from workers.document import Spec
from workers.spec import BASE

Name = Annotated[str, Field(min_length=1, max_length=80)]
Count = Annotated[int, Field(ge=0, le=10**9)]


class AnchorError(ValueError):
    """The run has no such place; the message says what it has."""


class RunAnchor(Spec):
    """The whole run."""

    kind: Literal["run"] = "run"


class StageAnchor(Spec):
    """A stage."""

    kind: Literal["stage"] = "stage"
    stage: Name


class CellAnchor(Spec):
    """A checkpoint on a benchmark's domain."""

    kind: Literal["cell"] = "cell"
    row: Name  # a stage, or base
    domain: Name


class ItemAnchor(Spec):
    """A problem of a benchmark, as a checkpoint answered it."""

    kind: Literal["item"] = "item"
    row: Name
    domain: Name
    item: Count


class RolloutAnchor(Spec):
    """The answers to one prompt of a training step."""

    kind: Literal["rollout"] = "rollout"
    stage: Name
    step: Count
    group: Annotated[int, Field(ge=1, le=10**6)]


class PointAnchor(Spec):
    """A point on a stage's curve."""

    kind: Literal["point"] = "point"
    stage: Name
    metric: Name
    step: Count


Anchor = RunAnchor | StageAnchor | CellAnchor | ItemAnchor | RolloutAnchor | PointAnchor
KINDS = ("run", "stage", "cell", "item", "rollout", "point")
_ANCHOR: TypeAdapter[Anchor] = TypeAdapter(Annotated[Anchor, Field(discriminator="kind")])


def stored_anchor(document: Any) -> Anchor:
    """Read an anchor that was validated when it was stored."""
    return _ANCHOR.validate_python(document)


def anchor_of(document: Any, run: Run) -> Anchor:
    """Read an anchor and see that the run has such a place; raises AnchorError where it has not."""
    try:
        anchor = _ANCHOR.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "anchor"
        raise AnchorError(
            f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}; an anchor's kind is one of: {', '.join(KINDS)}"
        ) from None
    match anchor:
        case StageAnchor() | RolloutAnchor():
            _stage(run, anchor.stage)
        case PointAnchor():
            _see_point(run, anchor)
        case CellAnchor() | ItemAnchor():
            _see_cell(run, anchor)
    return anchor


def anchor_words(anchor: Anchor) -> str:
    """Name the place: 'mopd · STEM, problem 12'."""
    match anchor:
        case StageAnchor():
            return f"stage {anchor.stage}"
        case CellAnchor():
            return f"{anchor.row} · {_title(anchor.domain)}"
        case ItemAnchor():
            return f"{anchor.row} · {_title(anchor.domain)}, problem {anchor.item}"
        case RolloutAnchor():
            return f"rollouts of {anchor.stage}, step {anchor.step}, prompt {anchor.group}"
        case PointAnchor():
            return f"{anchor.metric} of {anchor.stage} at step {anchor.step}"
        case RunAnchor():
            return "the whole run"


def anchor_url(anchor: Anchor, run: Run) -> str:
    """Where the place is shown."""
    where = (run.project.slug, run.number)
    match anchor:
        case CellAnchor() | ItemAnchor():
            return f"{reverse('runs:drift', args=where)}?cell={anchor.row}:{anchor.domain}#cell"
        case RolloutAnchor():
            address = reverse("runs:stage", args=(*where, anchor.stage))
            return f"{address}?rollouts={anchor.step}#group-{anchor.group}"
        case StageAnchor() | PointAnchor():
            return f"{reverse('runs:stage', args=(*where, anchor.stage))}#stage"
        case RunAnchor():
            return reverse("runs:detail", args=where)


def cell_of(anchor: Anchor) -> str:
    """The matrix cell that an anchor is in, as the drift page calls it; empty for other places."""
    return f"{anchor.row}:{anchor.domain}" if isinstance(anchor, CellAnchor | ItemAnchor) else ""


def _stage(run: Run, name: str) -> Stage:
    stages = {stage.name: stage for stage in run.stages.all()}
    if name not in stages:
        raise AnchorError(f"found stage '{name}', expected one of: {', '.join(stages)}")
    return stages[name]


def _see_cell(run: Run, anchor: CellAnchor | ItemAnchor) -> None:
    if anchor.row != BASE:
        _stage(run, anchor.row)
    domains = [benchmark["domain"] for benchmark in run.benchmarks]
    if anchor.domain not in domains:
        raise AnchorError(f"found domain '{anchor.domain}', expected one of: {', '.join(domains)}")
    if not isinstance(anchor, ItemAnchor):
        return
    stage = None if anchor.row == BASE else anchor.row
    scores = Score.objects.filter(checkpoint__run=run, benchmark__domain=anchor.domain, benchmark__split="test")
    if not scores.filter(checkpoint__stage__name=stage, items__item=anchor.item).exists():
        raise AnchorError(f"found no result of {anchor.row} on problem {anchor.item} of {_title(anchor.domain)}")


def _see_point(run: Run, anchor: PointAnchor) -> None:
    recorded = Metric.objects.filter(stage=_stage(run, anchor.stage), name=anchor.metric)
    if not recorded.filter(step=anchor.step).exists():
        raise AnchorError(
            f"found no {anchor.metric} of {anchor.stage} at step {anchor.step}; expected a recorded point"
        )


def _title(domain: str) -> str:
    return describe(domain).title

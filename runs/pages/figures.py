"""Training curves as Plotly JSON, made by Python from a stage's metrics."""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from runs import plots
from runs.ingest import stage_folder
from runs.lifecycle import OPEN
from runs.models import Metric, Stage
from runs.pages.find import find_run, find_stage
from runs.plots.training import Series
from workers.catalogue import describe
from workers.judges import named_judges
from workers.stage_dir import StepRecord, read_records

MAX_DOMAIN_LINES = 4  # more lines than this cannot be told apart; then the mean alone is drawn


@dataclass(frozen=True)
class Curve:
    """What one picture shows: a metric, with its parts by domain where there are few."""

    metric: str
    title: str
    unit: str = ""
    beside: str = ""  # a second metric in the same picture, where the stage records it


CURVES = {
    "reward": Curve("reward", "Reward", "mean of the step", beside="true_reward"),
    "length": Curve("response_tokens", "Response length", "tokens"),
    "loss": Curve("loss", "Loss"),
    "truncation": Curve("truncated", "Cut off", "share of answers"),
    "kl": Curve("kl", "KL to its start", "nats per token"),
    "reverse-kl": Curve("reverse_kl", "Reverse KL", "to the teachers"),
    "entropy": Curve("entropy", "Entropy", "nats per token"),
    "gradient": Curve("grad_norm", "Gradient norm"),
    "speed": Curve("tokens_per_s", "Speed", "tokens per second"),
    "judge": Curve("judge_failed", "Judge", "questions of the step", beside="judge_asked"),
    "judge-tokens": Curve("judge_tokens_in", "Judge's tokens", "tokens of the step", beside="judge_tokens_out"),
}
_BY_KIND = {
    "sft": ("loss", "entropy", "gradient", "speed"),
    "grpo": ("reward", "length", "loss", "entropy"),
    "mopd": ("reverse-kl", "reward", "length", "entropy"),
}
_OF_JUDGES = ("judge", "judge-tokens")  # of stages that ask one
_BESIDE_NAMES = {
    "reward": "learned reward",
    "true_reward": "true reward",
    "judge_failed": "without a verdict",
    "judge_asked": "asked",
    "judge_tokens_in": "read",
    "judge_tokens_out": "written",
}


def curves_of(stage: Stage) -> list[tuple[str, Curve]]:
    """The pictures that a stage of this kind is watched by, in the order of the page."""
    of_judges = _OF_JUDGES if named_judges(stage.resolved or {}) else ()
    return [(name, CURVES[name]) for name in (*_BY_KIND[stage.kind], *of_judges)]


def metrics_of(stage: Stage) -> list[str]:
    """The names of what a stage has recorded."""
    return list(Metric.objects.filter(stage=stage).order_by("name").values_list("name", flat=True).distinct())


@require_safe
def curve(request: HttpRequest, slug: str, number: int, name: str, curve: str) -> HttpResponse:
    """Answer one curve of a stage; with `thirds=1` as a small picture of how it moved from its first third to its last."""
    stage = find_stage(find_run(request, slug, number), name)
    if curve not in CURVES:
        raise Http404
    shown, theme = CURVES[curve], _theme(request)
    if request.GET.get("thirds") == "1":
        steps, values = _read(stage, [shown.metric]).get(shown.metric, ([], []))
        small = plots.trend_curve(steps, values, n_steps=stage.document["steps"], theme=theme)
        return figure_response(request, plots.to_json(small))
    lines = _series(stage, shown)
    figure = plots.training_curve(
        lines,
        shown.title,
        shown.unit,
        resumes=resumed_at(stage),
        theme=theme,
    )
    if not any(steps for steps, _ in lines.values()):
        _say_in_place_of_lines(figure, "no step yet" if stage.status in OPEN else "nothing recorded")
    return figure_response(request, plots.to_json(figure))


def figure_response(request: HttpRequest, json: str) -> HttpResponse:
    """Answer a figure, or 304 where the page has it already."""
    etag = f'"{hashlib.sha256(json.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    return get_conditional_response(request, etag=etag) or HttpResponse(
        json, content_type="application/json", headers=headers
    )


def _theme(request: HttpRequest) -> plots.Theme:
    return "dark" if request.GET.get("theme") == "dark" else "light"


def resumed_at(stage: Stage) -> list[int]:
    """The first step that each later attempt made: where a resumed trainer went on."""
    starts = [attempt.started_at.timestamp() for attempt in stage.attempts.all() if attempt.number > 1]
    if not starts:
        return []
    records, _ = read_records(stage_folder(stage).steps, StepRecord)
    times = [record.at for record in records]
    found = (bisect_left(times, start) for start in starts)
    return sorted({records[at].step for at in found if 0 < at < len(records)})


def _say_in_place_of_lines(figure: Any, words: str) -> None:
    """Axes without a line would look like zero."""
    figure.update_layout(xaxis_visible=False, yaxis_visible=False)
    figure.add_annotation(text=words, xref="paper", yref="paper", x=0.5, y=0.5, showarrow=False)


def _series(stage: Stage, shown: Curve) -> dict[str, Series]:
    lines = _read(stage, _wanted(stage, shown))
    if shown.beside in lines:
        return {_BESIDE_NAMES[name]: lines[name] for name in (shown.metric, shown.beside)}
    by_domain = {describe(domain).label: line for name, line in lines.items() if (domain := name.partition("/")[2])}
    return by_domain or {shown.title: lines.get(shown.metric, ([], []))}


def _wanted(stage: Stage, shown: Curve) -> list[str]:
    domains = list(stage.document["domains"])
    parts = [f"{shown.metric}/{domain}" for domain in domains] if 1 < len(domains) <= MAX_DOMAIN_LINES else []
    return [name for name in (shown.metric, shown.beside, *parts) if name]


def _read(stage: Stage, names: list[str]) -> dict[str, Series]:
    lines: dict[str, tuple[list[int], list[float]]] = {}
    found = Metric.objects.filter(stage=stage, name__in=names).order_by("name", "step")
    for name, step, value in found.values_list("name", "step", "value"):
        steps, values = lines.setdefault(name, ([], []))
        steps.append(step)
        values.append(value)
    return {name: lines[name] for name in names if name in lines}

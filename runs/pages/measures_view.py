"""The measures of a whole cascade as the drift page shows them: one number each, with what is behind it."""

from typing import Any

from runs.drift import words
from runs.drift.matrix import ScoreMatrix
from runs.drift.summary import Measure, Summary
from runs.report import DriftReport

_FORMULAS: dict[str, tuple[str, str]] = {
    "average": ("Average score", "mean of the last checkpoint's scores over all benchmarks (ACC)"),
    "backward_transfer": (
        "Backward transfer (BWT)",
        "mean over domains of: score now − score after the domain's own stage; negative is forgetting",
    ),
    "forgetting": (
        "Average forgetting",
        "mean over domains of: best earlier score since the start − score now (Chaudhry et al. 2018)",
    ),
    "retention": ("Retention", "mean over domains of: score now ÷ score after the domain's own stage"),
    "forward_transfer": (
        "Forward transfer (FWT)",
        "mean over domains of: score just before the domain's own stage − score at the start",
    ),
}


def measure_views(report: DriftReport) -> list[dict[str, Any]]:
    """List the measures, the fall that a mean would hide last."""
    return [*_measures(report.summary, report.matrix), _worst_drop(report)]


def _measures(summary: Summary, matrix: ScoreMatrix) -> list[dict[str, Any]]:
    """Each measure with its formula and the parts it is the mean of."""
    shown = []
    for name, (title, formula) in _FORMULAS.items():
        measure: Measure = getattr(summary, name)
        interval = (
            words.change_interval(measure.interval) if name != "average" else words.score_interval(measure.interval)
        )
        shown.append(
            {
                "title": title,
                "formula": formula,
                "text": _value(name, measure),
                "beside": interval,
                "reason": measure.reason,
                "parts": _parts(name, measure, matrix),
            }
        )
    return shown


def _worst_drop(report: DriftReport) -> dict[str, Any]:
    """The one fall that a mean would hide."""
    worst = report.summary.worst_drop
    shown = {
        "title": "Worst drop",
        "formula": "the largest fall of one domain over one stage, among the stages that the last checkpoint comes from",
        "reason": worst.reason,
    }
    if worst.difference is None:
        return shown | {"text": "–"}
    noise = "" if worst.is_significant or not worst.is_known else ", within noise"
    place = f"{report.matrix.column(worst.column).title} at {report.matrix.row(worst.row).title}{noise}"
    return shown | {
        "text": words.change(worst.difference),
        "beside": words.change_interval(worst.interval),
        "place": place,
    }


def _value(name: str, measure: Measure) -> str:
    if measure.value is None:
        return "–"
    return _written(name, measure.value)


def _written(name: str, value: float) -> str:
    if name == "retention":
        return words.percent(value)
    return words.score(value) if name in ("average", "forgetting") else words.change(value)


def _parts(name: str, measure: Measure, matrix: ScoreMatrix) -> list[tuple[str, str]]:
    return [(matrix.column(domain).title, _written(name, value)) for domain, value in measure.parts.items()]

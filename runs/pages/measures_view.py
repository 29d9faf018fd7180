"""The measures of a whole cascade as the drift page shows them: one number each, with what is behind it."""

from dataclasses import dataclass, field

from runs.drift import words
from runs.drift.changes import Change
from runs.drift.stability import NO_MIDDLE, StabilityGap
from runs.drift.summary import Measure
from runs.pages.baseline import Baseline
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
    "plasticity": ("Plasticity", "mean over domains of: score after the domain's own stage − score just before it"),
    "forward_transfer": (
        "Forward transfer (FWT)",
        "mean over domains of: score just before the domain's own stage − score at the start",
    ),
}


@dataclass(frozen=True)
class MeasureView:
    """One number in words; where `text` is a dash, `reason` says why. `baseline` is the same number of another run."""

    title: str
    formula: str
    text: str
    exact: str = ""  # the same number without rounding, for whoever points at it
    interval: str = ""
    place: str = ""  # the domain it is about
    reason: str = ""
    why_no_interval: str = ""
    parts: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def measure_views(
    report: DriftReport, baseline: Baseline | None = None
) -> list[tuple[MeasureView, MeasureView | None]]:
    """List the measures, each beside the baseline's."""
    ours = _measures(report)
    theirs: list[MeasureView] | list[None] = _measures(baseline.report) if baseline else [None] * len(ours)
    return list(zip(ours, theirs, strict=True))


def _measures(report: DriftReport) -> list[MeasureView]:
    found = {name: _measure(report, name) for name in _FORMULAS}
    return [
        found["average"],
        found["backward_transfer"],
        found["forgetting"],
        found["retention"],
        _worst_retention(report),
        _losses(report),
        found["plasticity"],
        found["forward_transfer"],
        _worst_drop(report),
        _stability_gap(report),
    ]


def _measure(report: DriftReport, name: str) -> MeasureView:
    measure: Measure = getattr(report.summary, name)
    title, formula = _FORMULAS[name]
    in_words = words.score_interval if name == "average" else words.change_interval
    interval = words.percent_interval(measure.interval) if name == "retention" else in_words(measure.interval)
    exact = "" if measure.value is None else _exact(name, measure.value)
    if exact and all(cell.values is None for cell in report.matrix.cells.values()):
        interval = f"exactly {exact}"  # published numbers have no noise to hide their decimals in
    return MeasureView(
        title=title,
        formula=formula,
        text="–" if measure.value is None else _written(name, measure.value),
        exact=exact,
        interval=interval,
        reason=measure.reason,
        why_no_interval=measure.why_no_interval if measure.value is not None else "",
        parts=[(_title(report, domain), _written(name, value)) for domain, value in measure.parts.items()],
        left_out=[(_title(report, domain), why) for domain, why in measure.left_out.items()],
    )


def _worst_retention(report: DriftReport) -> MeasureView:
    """The domain that the mean of retention hides."""
    kept = report.summary.retention
    title, formula = "Worst retention", "the smallest share of its own stage's score that any domain has kept"
    if kept.worst is None:
        return MeasureView(title, formula, "–", reason=kept.reason)
    return MeasureView(title, formula, words.percent(kept.parts[kept.worst]), place=_title(report, kept.worst))


def _losses(report: DriftReport) -> MeasureView:
    """How many domains have less than their own stage gave them, by more than noise."""
    title = "Significant losses"
    formula = (
        "domains whose score now is below that after their own stage (the start, for a domain that no stage trains), with "
        "p < 0.05 after Holm's correction over all domains"
    )
    final = report.matrix.final_row()
    if final is None:
        return MeasureView(title, formula, "–", reason="nothing is scored yet")
    since_own = [report.changes["own"][final.key, column.domain] for column in report.matrix.columns]
    judged = [change for change in since_own if change.is_known]
    left_out = [(_title(report, change.column), change.reason) for change in since_own if not change.is_known]
    if not judged:
        reasons = sorted({reason for _, reason in left_out})
        return MeasureView(title, formula, "–", reason="; ".join(reasons), left_out=left_out)
    lost = sorted((change for change in judged if change.is_loss), key=lambda change: change.difference or 0.0)
    parts = [(_title(report, change.column), _change(change)) for change in lost]
    return MeasureView(title, formula, str(len(lost)), interval=f"of {len(judged)}", parts=parts, left_out=left_out)


def _worst_drop(report: DriftReport) -> MeasureView:
    """The one fall that a mean would hide."""
    worst = report.summary.worst_drop
    title = "Worst drop"
    formula = "the largest fall of one domain over one stage, among the stages that the last checkpoint comes from"
    if worst.difference is None:
        return MeasureView(title, formula, "–", reason=worst.reason)
    noise = "" if worst.is_significant or not worst.is_known else ", within noise"
    place = f"{_title(report, worst.column)} at {report.matrix.row(worst.row).title}{noise}"
    text, interval = words.change(worst.difference), words.change_interval(worst.interval)
    return MeasureView(title, formula, text, interval=interval, place=place)


def _stability_gap(report: DriftReport) -> MeasureView:
    """The deepest fall within a stage, which the scores at the ends of stages cannot show."""
    title = "Stability gap"
    formula = (
        "the deepest fall within a stage: score before the stage − lowest score in its middle, over the steps that were scored "
        "(score_every); of each domain the stage where it fell deepest. The lowest of several noisy scores is read too low, so "
        "the fall is biased upwards; p < 0.05 is after Holm's correction over those steps (De Lange et al. 2023)"
    )
    gaps = report.stability_gaps
    known = {domain: gap for domain, gap in gaps.items() if gap.depth is not None}
    left_out = [(_title(report, domain), gap.reason) for domain, gap in gaps.items() if gap.depth is None]
    if not known:
        reasons = sorted({gap.reason for gap in gaps.values()})
        return MeasureView(title, formula, "–", reason="; ".join(reasons) or NO_MIDDLE)
    domain, deepest = max(known.items(), key=lambda pair: pair[1].depth or 0.0)
    parts = [(_title(report, domain), _gap_words(report, gap)) for domain, gap in known.items()]
    noise = "" if deepest.is_significant or deepest.adjusted_p is None else ", within noise"
    return MeasureView(
        title,
        formula,
        words.score(deepest.depth or 0.0),
        interval=words.score_interval(deepest.interval),
        place=f"{_title(report, domain)} in {report.matrix.row(deepest.row).title}, step {deepest.step:,}{noise}",
        parts=parts,
        left_out=left_out,
    )


def _gap_words(report: DriftReport, gap: StabilityGap) -> str:
    assert gap.depth is not None
    lasting = "" if gap.lasting is None else f"; {words.score(gap.lasting)} at its end"
    noise = "" if gap.is_significant or gap.adjusted_p is None else ", within noise"
    return f"{words.score(gap.depth)} in {report.matrix.row(gap.row).title}, step {gap.step:,}{noise}{lasting}"


def _change(change: Change) -> str:
    assert change.difference is not None
    return words.joined(words.change(change.difference), words.change_interval(change.interval))


def _written(name: str, value: float) -> str:
    if name == "retention":
        return words.percent(value)
    return words.score(value) if name in ("average", "forgetting") else words.change(value)


def _exact(name: str, value: float) -> str:
    """Write a number to four decimals, without those that are nought."""
    sign = "" if name in ("average", "forgetting", "retention") or value <= 0 else "+"
    return f"{sign}{round(100 * value, 4):.10g}".replace("-", "−")


def _title(report: DriftReport, domain: str) -> str:
    return report.matrix.column(domain).title

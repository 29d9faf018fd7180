"""Another run of the project that this one is held against."""

from dataclasses import dataclass

from runs.drift import words
from runs.drift.comparability import why_incomparable
from runs.drift.matrix import ScoreCell, ScoreMatrix
from runs.models import Run
from runs.pages.drift_view import DriftView
from runs.report import DriftReport, drift_report

MAX_CHOICES = 50  # the newest runs; an older one can still be named in the address


@dataclass(frozen=True)
class Baseline:
    """A run and its drift; `caveat` says in what its numbers may not be held against the other's, empty where they may."""

    run: Run
    report: DriftReport
    caveat: str

    @property
    def levels(self) -> dict[str, float]:
        """Its last score on each benchmark."""
        matrix = self.report.matrix
        return {domain: cell.mean for domain, cell in last_scores(matrix).items()}


def find_baseline(run: Run, report: DriftReport, view: DriftView) -> Baseline | None:
    """Find the run that the address names; None where it names none, this run itself, or one that does not exist."""
    if view.baseline in (None, run.number):
        return None
    runs = Run.objects.filter(project=run.project, number=view.baseline).prefetch_related(
        "stages", "checkpoints", "added_benchmarks"
    )
    other = runs.first()
    if other is None:
        return None
    others_report = drift_report(other)
    return Baseline(other, others_report, _caveat(report.matrix, others_report.matrix))


def baseline_choices(run: Run) -> list[tuple[int, str]]:
    """List the project's other runs with scores, newest first: number and name."""
    runs = Run.objects.filter(project=run.project, checkpoints__scores__isnull=False).exclude(pk=run.pk)
    return [(other.number, str(other)) for other in runs.distinct().order_by("-number")[:MAX_CHOICES]]


def references(report: DriftReport, baseline: Baseline | None) -> dict[str, dict[str, float]]:
    """Name the lines that curves are held against: the baseline's last scores, where they may be compared."""
    if baseline is None:
        return {}
    ours, theirs = last_scores(report.matrix), last_scores(baseline.report.matrix)
    fair = {
        domain: cell.mean
        for domain, cell in theirs.items()
        if domain in ours and not why_incomparable(cell, ours[domain])
    }
    return {f"last of #{baseline.run.number}": fair}


def last_scores(matrix: ScoreMatrix) -> dict[str, ScoreCell]:
    """The scores of the last scored checkpoint."""
    final = matrix.final_row()
    if final is None:
        return {}
    return {c.domain: cell for c in matrix.columns if (cell := matrix.cell(final.key, c.domain)) is not None}


def _caveat(matrix: ScoreMatrix, other: ScoreMatrix) -> str:
    ours, theirs = last_scores(matrix), last_scores(other)
    lacking = [column.title for column in matrix.columns if column.domain in ours and column.domain not in theirs]
    added = [column.title for column in other.columns if column.domain in theirs and column.domain not in ours]
    unlike = [
        matrix.column(domain).title
        for domain in ours
        if domain in theirs and why_incomparable(theirs[domain], ours[domain])
    ]
    parts = [
        f"it has no score of {words.listed(lacking)}" if lacking else "",
        f"it also has {words.listed(added)}" if added else "",
        f"it was scored otherwise on {words.listed(unlike)}" if unlike else "",
    ]
    return "; ".join(part for part in parts if part)

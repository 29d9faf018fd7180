"""A run's drift as one object: what the drift page, the API and the terminal all show."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from runs.drift.changes import ChangeMatrix, Since, find_changes, find_changes_against
from runs.drift.comparability import Break, find_breaks
from runs.drift.intervals import ALPHA
from runs.drift.matrix import ScoreMatrix
from runs.drift.power import Detectable, detectable_changes
from runs.drift.recovery import Recovery, measure_recovery
from runs.drift.sentences import verdict
from runs.drift.stability import During, StabilityGap, deepest_gaps
from runs.drift.summary import Summary, summarize
from runs.drift.teachers import TeacherChoice, choose_teachers
from runs.drift.text import matrix_text, recovery_text
from runs.matrices import mid_stage_cells, score_matrix
from runs.models import Run, Score, Stage

KEPT = 8  # reports per process: one of 24 benchmarks x 12 checkpoints x 500 items holds 3 MB
_made: OrderedDict[str, "DriftReport"] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True)
class DriftReport:
    """Everything that follows from a run's scores; each part is computed when it is first asked for."""

    matrix: ScoreMatrix
    validation: ScoreMatrix  # other problems of the same domains: they choose, the matrix reports
    teachers: dict[str, dict[str, str]]  # MOPD stage -> domain -> the stage that taught it
    n_stages: int
    during: During  # test scores from the middle of stages: points of the curves, no rows

    @cached_property
    def changes(self) -> Mapping[Since, ChangeMatrix]:
        return _Changes(self.matrix)

    @cached_property
    def _against(self) -> dict[str, ChangeMatrix]:
        return {}

    def changes_against(self, row: str) -> ChangeMatrix:
        """Changes since one chosen checkpoint; `row` is a key of the matrix, or empty where nothing is scored."""
        if row not in self._against:
            self._against[row] = find_changes_against(self.matrix, row)
        return self._against[row]

    @cached_property
    def breaks(self) -> list[Break]:
        return find_breaks(self.matrix)

    @cached_property
    def detectable(self) -> Mapping[str, Detectable]:
        """The smallest change each benchmark can see among as many as the matrix corrects together."""
        return detectable_changes(self.matrix, alpha=ALPHA / max(1, len(self.matrix.columns)))

    @cached_property
    def recoveries(self) -> list[Recovery]:
        """What each scored MOPD stage won back, in the run's order."""
        scored = [row.key for row in self.matrix.scored_rows() if row.key in self.teachers]
        return [measure_recovery(self.matrix, row, self.teachers[row], validation=self.validation) for row in scored]

    @cached_property
    def drawn(self) -> dict[str, str]:
        """Pictures made of this report, by all that they depend on beside it; `runs.pages.drift_figures` fills it."""
        return {}

    @property
    def last_teachers(self) -> dict[str, str]:
        """The teachers of the last MOPD stage that has them."""
        return list(self.teachers.values())[-1] if self.teachers else {}

    @cached_property
    def summary(self) -> Summary:
        return summarize(self.matrix, since_previous=self.changes["previous"])

    @cached_property
    def stability_gaps(self) -> Mapping[str, StabilityGap]:
        """For every domain, the deepest fall within a stage."""
        return deepest_gaps(self.matrix, self.during)

    @cached_property
    def best(self) -> dict[str, TeacherChoice]:
        return choose_teachers(self.validation)

    @cached_property
    def verdict(self) -> str:
        last = self.recoveries[-1] if self.recoveries else None
        return verdict(self.matrix, recovery=last, n_stages=self.n_stages, since_previous=self.changes["previous"])


class _Changes(dict[Since, ChangeMatrix]):
    """The changes since each reference, found when they are first asked for: a page shows one of them."""

    def __init__(self, matrix: ScoreMatrix) -> None:
        self._matrix = matrix

    def __missing__(self, since: Since) -> ChangeMatrix:
        self[since] = find_changes(self._matrix, since)
        return self[since]


def drift_report(run: Run) -> DriftReport:
    """Read what a run has scored so far; while its scores stay the same, the report that was made of them is used again."""
    stages = list(run.stages.all())
    key = _fingerprint(run, stages)
    with _lock:
        if key in _made:
            _made.move_to_end(key)
            return _made[key]
    report = DriftReport(
        matrix=score_matrix(run),
        validation=score_matrix(run, split="validation"),
        teachers={
            stage.name: stage.resolved["teachers"] for stage in stages if stage.kind == "mopd" and stage.resolved
        },
        n_stages=len(stages),
        during=mid_stage_cells(run),
    )
    with _lock:
        _made[key] = report
        while len(_made) > KEPT:
            _made.popitem(last=False)
    return report


def forget() -> None:
    """Drop the reports that are kept, as a process that starts has none."""
    with _lock:
        _made.clear()


def _fingerprint(run: Run, stages: list[Stage]) -> str:
    """Name all that a report follows from. A score's items never change: who scores again replaces the score."""
    scores = Score.objects.filter(checkpoint__run=run).order_by("pk")
    known = {
        "run": run.public_id,
        "benchmarks": run.benchmarks,
        "stages": [(s.pk, s.document["domains"], s.starts_from_id, (s.resolved or {}).get("teachers")) for s in stages],
        "scores": list(scores.values_list("pk", "checkpoint", "benchmark", "mean", "n_items")),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def plain_text(run: Run) -> str:
    """Write a run's matrix, its verdict and what each MOPD stage won back, for a terminal."""
    report = drift_report(run)
    recoveries = [recovery_text(report.matrix, recovered) for recovered in report.recoveries]
    return "\n\n".join([report.verdict, matrix_text(report.matrix), *recoveries])

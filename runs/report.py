"""A run's drift as one object: what the drift page, the API and the terminal all show."""

from dataclasses import dataclass
from functools import cached_property

from runs.drift.changes import SINCE, ChangeMatrix, Since, find_changes
from runs.drift.matrix import ScoreMatrix
from runs.drift.recovery import Recovery, measure_recovery
from runs.drift.sentences import verdict
from runs.drift.summary import Summary, summarize
from runs.drift.teachers import TeacherChoice, choose_teachers
from runs.drift.text import matrix_text, recovery_text
from runs.matrices import score_matrix
from runs.models import Run


@dataclass(frozen=True)
class DriftReport:
    """Everything that follows from a run's scores; each part is computed when it is first asked for."""

    matrix: ScoreMatrix
    validation: ScoreMatrix  # other problems of the same domains: they choose, the matrix reports
    teachers: dict[str, dict[str, str]]  # MOPD stage -> domain -> the stage that taught it
    n_stages: int

    @cached_property
    def changes(self) -> dict[Since, ChangeMatrix]:
        return {since: find_changes(self.matrix, since) for since in SINCE}

    @cached_property
    def recoveries(self) -> list[Recovery]:
        """What each scored MOPD stage won back, in the run's order."""
        scored = [row.key for row in self.matrix.scored_rows() if row.key in self.teachers]
        return [measure_recovery(self.matrix, row, self.teachers[row], validation=self.validation) for row in scored]

    @property
    def last_teachers(self) -> dict[str, str]:
        """The teachers of the last MOPD stage that has them."""
        return list(self.teachers.values())[-1] if self.teachers else {}

    @cached_property
    def summary(self) -> Summary:
        return summarize(self.matrix)

    @cached_property
    def best(self) -> dict[str, TeacherChoice]:
        return choose_teachers(self.validation)

    @cached_property
    def verdict(self) -> str:
        last = self.recoveries[-1] if self.recoveries else None
        return verdict(self.matrix, recovery=last, n_stages=self.n_stages)


def drift_report(run: Run) -> DriftReport:
    """Read what a run has scored so far."""
    stages = list(run.stages.all())
    return DriftReport(
        matrix=score_matrix(run),
        validation=score_matrix(run, split="validation"),
        teachers={
            stage.name: stage.resolved["teachers"] for stage in stages if stage.kind == "mopd" and stage.resolved
        },
        n_stages=len(stages),
    )


def plain_text(run: Run) -> str:
    """Write a run's matrix, its verdict and what each MOPD stage won back, for a terminal."""
    report = drift_report(run)
    recoveries = [recovery_text(report.matrix, recovered) for recovered in report.recoveries]
    return "\n\n".join([report.verdict, matrix_text(report.matrix), *recoveries])

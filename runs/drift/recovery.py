"""How far a MOPD stage brought the domains back to their teachers.

    recovered = (after - before) / (teacher - before)

Per domain, the fraction is given only where the teacher is more than 3 points above the start, and beyond noise: a gap
that may be nothing cannot be closed by half. Over all domains, gains and gaps are added first and divided once, so that
a wide gap weighs more than a narrow one; that sum takes every domain with a gap of more than 3 points, since noise
averages out over domains.

Picking domains by a gap on the very scores that are then divided flatters the result a little (a start that was unlucky
looks lost and comes back by itself). Give a validation matrix to pick them on other problems.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from runs.drift.changes import change_between
from runs.drift.comparability import why_incomparable
from runs.drift.intervals import Interval
from runs.drift.matrix import ScoreCell, ScoreMatrix
from runs.drift.ratio import Ratio

MIN_GAP = 0.03


@dataclass(frozen=True)
class DomainRecovery:
    """One domain's way back; where `fraction` is None, `reason` says why. Cells are those of the reported matrix."""

    domain: str
    title: str
    teacher_row: str | None
    before: ScoreCell | None
    after: ScoreCell | None
    teacher: ScoreCell | None
    fraction: float | None = None
    interval: Interval | None = None
    is_lost: bool = False  # the teacher is more than 3 points above the start: counts in the sum
    reason: str = ""

    @property
    def is_within_noise(self) -> bool:
        """Whether the stage may as well have recovered nothing."""
        return self.interval is not None and self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Recovery:
    """What a MOPD stage won back; where `fraction` is None, `reason` says why."""

    row: str
    before_row: str | None
    domains: tuple[DomainRecovery, ...]
    fraction: float | None = None  # over all lost domains, gains and gaps added up first
    interval: Interval | None = None
    reason: str = ""

    @property
    def lost(self) -> tuple[DomainRecovery, ...]:
        return tuple(domain for domain in self.domains if domain.is_lost)


def measure_recovery(
    matrix: ScoreMatrix,
    row: str,
    teachers: Mapping[str, str],
    *,
    validation: ScoreMatrix | None = None,
    min_gap: float = MIN_GAP,
) -> Recovery:
    """Measure a MOPD stage against its teachers.

    teachers: domain -> the row that taught it. validation: scores on other problems, to pick the lost domains by.
    min_gap: how far a teacher must be above the start, as a fraction (0.03 is 3 points).
    """
    before_row = matrix.row(row).parent
    domains = tuple(
        _domain_recovery(
            matrix, row, column.domain, column.title, teachers.get(column.domain), validation or matrix, min_gap
        )
        for column in matrix.columns
        if column.domain in matrix.row(row).domains or column.domain in teachers
    )
    lost = [_ratio(domain) for domain in domains if domain.is_lost]
    if not lost:
        return Recovery(row, before_row, domains, reason=_why_nothing_to_win(domains, min_gap))
    total = sum(lost[1:], lost[0])
    if not total.is_beyond_noise:
        return Recovery(row, before_row, domains, reason="the teachers are above the start by no more than noise")
    return Recovery(row, before_row, domains, total.fraction, total.fieller())


def _domain_recovery(
    matrix: ScoreMatrix,
    row: str,
    domain: str,
    title: str,
    teacher_row: str | None,
    picking: ScoreMatrix,
    min_gap: float,
) -> DomainRecovery:
    start = matrix.row(row).parent
    before = matrix.cell(start, domain) if start else None
    after, teacher = matrix.cell(row, domain), matrix.cell(teacher_row, domain) if teacher_row else None
    plain = DomainRecovery(domain, title, teacher_row, before, after, teacher)
    reason = _why_unmeasured(plain, start)
    if reason or before is None or teacher is None or start is None or teacher_row is None:
        return replace(plain, reason=reason)
    picked = change_between(picking, domain, start, teacher_row)
    if picked.difference is None:
        return replace(plain, reason=picked.reason)
    if picked.difference <= min_gap:
        return replace(plain, reason=f"lost no more than {100 * min_gap:.0f} points")
    ratio = _ratio(plain)
    if not ratio.is_beyond_noise:
        return replace(plain, is_lost=True, reason="its gap to the teacher is within noise")
    return replace(plain, is_lost=True, fraction=ratio.fraction, interval=ratio.fieller())


def _why_unmeasured(domain: DomainRecovery, start: str | None) -> str:
    if domain.teacher_row is None:
        return "it has no teacher"
    if domain.teacher_row == start:
        return "the start is its own teacher"
    for name, cell in (("its start", domain.before), ("the stage", domain.after), ("its teacher", domain.teacher)):
        if cell is None:
            return f"{name} is not scored"
    assert domain.before is not None
    assert domain.after is not None
    assert domain.teacher is not None
    return why_incomparable(domain.before, domain.after) or why_incomparable(domain.before, domain.teacher)


def _why_nothing_to_win(domains: tuple[DomainRecovery, ...], min_gap: float) -> str:
    if any(domain.after is None for domain in domains):
        return "not scored yet"
    return f"no teacher is more than {100 * min_gap:.0f} points above the start"


def _ratio(domain: DomainRecovery) -> Ratio:
    assert domain.before is not None
    assert domain.after is not None
    assert domain.teacher is not None
    return Ratio.of(domain.before, domain.after, domain.teacher)

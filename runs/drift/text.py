"""The score matrix and a recovery in plain text, for a terminal."""

from runs.drift import words
from runs.drift.changes import Change, find_changes
from runs.drift.matrix import RowInfo, ScoreMatrix
from runs.drift.recovery import DomainRecovery, Recovery
from runs.drift.teachers import choose_teachers

LEGEND = "[ ] own stage   * best   − loss, + gain since the stage before   · within noise   – not scored"
CELL = 7


def matrix_text(matrix: ScoreMatrix) -> str:
    """Write a table of scores in points: stages down, benchmarks across, the mean last."""
    width = max([len(_name(matrix, row)) for row in matrix.rows] + [5])
    header = (
        "stage".ljust(width) + "".join(f"{column.label[:6]:>{CELL - 1}} " for column in matrix.columns) + " |  mean"
    )
    best = {domain: choice.row for domain, choice in choose_teachers(matrix).items()}
    since_before = find_changes(matrix, "previous")
    lines = [header]
    for row in matrix.rows:
        cells = "".join(
            _cell(matrix, row, column.domain, since_before[row.key, column.domain], best) for column in matrix.columns
        )
        lines.append(f"{_name(matrix, row).ljust(width)}{cells} | {_mean(matrix, row):>5}")
    return "\n".join([*lines, "", LEGEND])


def recovery_text(matrix: ScoreMatrix, recovery: Recovery) -> str:
    """Write what a MOPD stage won back, a line per domain and one for all that was lost."""
    lines = [f"{matrix.row(recovery.row).title}: start -> after (teacher), recovered"]
    width = max([len(domain.title) for domain in recovery.domains] + [len("all that was lost")])
    lines += [f"  {domain.title.ljust(width)}  {_domain_line(matrix, domain)}" for domain in recovery.domains]
    total = recovery.reason if recovery.fraction is None else _share(recovery.fraction, recovery)
    return "\n".join([*lines, f"  {'all that was lost'.ljust(width)}  {total}"])


def _name(matrix: ScoreMatrix, row: RowInfo) -> str:
    arrow = " ⇉" if row.kind == "mopd" else ""
    return f"{matrix.rows.index(row)} {row.title}{arrow}"


def _cell(matrix: ScoreMatrix, row: RowInfo, domain: str, change: Change, best: dict[str, str]) -> str:
    cell = matrix.cell(row.key, domain)
    if cell is None:
        return f"{'–':>{CELL - 2}}  "
    mark = "+" if change.is_gain else "−" if change.is_loss else "·" if change.is_known else ""
    is_own = row.kind == "grpo" and domain in row.domains
    number = f"{mark}{'[' if is_own else ''}{100 * cell.mean:.0f}"
    return f"{number:>{CELL - 2}}{']' if is_own else ' '}{'*' if best.get(domain) == row.key else ' '}"


def _mean(matrix: ScoreMatrix, row: RowInfo) -> str:
    mean = matrix.mean(row.key)
    return "–" if mean is None else words.score(mean)


def _domain_line(matrix: ScoreMatrix, domain: DomainRecovery) -> str:
    if domain.before is None or domain.after is None:
        return domain.reason
    path = f"{words.score(domain.before.mean):>5} -> {words.score(domain.after.mean):>5}"
    if domain.teacher is not None and domain.teacher_row is not None:
        path += f" ({words.score(domain.teacher.mean):>5} {matrix.row(domain.teacher_row).title})"
    return f"{path}  {domain.reason if domain.fraction is None else _share(domain.fraction, domain)}"


def _share(fraction: float, of: DomainRecovery | Recovery) -> str:
    return words.joined(words.percent(fraction), words.percent_interval(of.interval))

"""What a cascade did to its scores: pure statistics, data in and numbers out, no queries.

Start at `matrix.py` (the data), then `intervals.py` (noise), `changes.py`, `summary.py`, `recovery.py`, `teachers.py`,
`flips.py`; `sentences.py` and `text.py` put them into words. Every formula is in docs/metrics.md.
"""

from runs.drift import words
from runs.drift.changes import SINCE, Change, ChangeMatrix, Since, find_changes, find_changes_of_row
from runs.drift.flips import Flips, find_flips
from runs.drift.intervals import ALPHA, Comparison, Interval, compare, holm
from runs.drift.matrix import ColumnInfo, Kind, RowInfo, ScoreCell, ScoreMatrix, score_cell
from runs.drift.recovery import DomainRecovery, Recovery, measure_recovery
from runs.drift.sentences import verdict
from runs.drift.summary import Measure, Summary, summarize
from runs.drift.teachers import TeacherChoice, choose_teachers
from runs.drift.text import matrix_text, recovery_text

__all__ = [
    "ALPHA",
    "SINCE",
    "Change",
    "ChangeMatrix",
    "ColumnInfo",
    "Comparison",
    "DomainRecovery",
    "Flips",
    "Interval",
    "Kind",
    "Measure",
    "Recovery",
    "RowInfo",
    "ScoreCell",
    "ScoreMatrix",
    "Since",
    "Summary",
    "TeacherChoice",
    "choose_teachers",
    "compare",
    "find_changes",
    "find_changes_of_row",
    "find_flips",
    "holm",
    "matrix_text",
    "measure_recovery",
    "recovery_text",
    "score_cell",
    "summarize",
    "verdict",
    "words",
]

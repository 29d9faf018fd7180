"""What a cascade did to its scores: pure statistics, data in and numbers out, no queries.

Start at `matrix.py` (the data) and `comparability.py` (what may be joined); then noise: `intervals.py`, `paired.py`,
`families.py`, `power.py`; then `changes.py`, `harm.py`, `flips.py`, `answers.py`, `causes.py`, `stability.py`; then measures of a
whole cascade: `measures.py`, `transfer.py`, `retention.py`, `plasticity.py`, `summary.py`, `recovery.py`, `teachers.py`;
`lineage.py` lays the checkpoints out, `across.py` compares two runs. `sentences.py` and `text.py` put them into words.
Every formula is in docs/drift.md.
"""

from runs.drift import words
from runs.drift.changes import (
    SINCE,
    Change,
    ChangeMatrix,
    Since,
    correct,
    find_changes,
    find_changes_against,
    find_changes_of_row,
)
from runs.drift.comparability import Break, break_words, find_breaks, why_incomparable
from runs.drift.families import benjamini_hochberg, holm
from runs.drift.flips import Flip, Flips, find_flips, rank_flips
from runs.drift.harm import Harm, find_harm
from runs.drift.intervals import ALPHA, Interval
from runs.drift.matrix import ColumnInfo, Kind, RowInfo, ScoreCell, ScoreMatrix, score_cell
from runs.drift.measures import Measure
from runs.drift.paired import Comparison, compare
from runs.drift.plasticity import plasticity
from runs.drift.power import Detectable, Effort, detectable_changes, effort_to_decide
from runs.drift.recovery import DomainRecovery, Recovery, measure_recovery
from runs.drift.retention import gap_closed, retention
from runs.drift.sentences import verdict
from runs.drift.stability import During, StabilityGap, deepest_gaps, stability_gap
from runs.drift.summary import Summary, summarize
from runs.drift.teachers import TeacherChoice, choose_teachers
from runs.drift.text import matrix_text, recovery_text
from runs.drift.transfer import intransigence

__all__ = [
    "ALPHA",
    "SINCE",
    "Break",
    "Change",
    "ChangeMatrix",
    "ColumnInfo",
    "Comparison",
    "Detectable",
    "DomainRecovery",
    "During",
    "Effort",
    "Flip",
    "Flips",
    "Harm",
    "Interval",
    "Kind",
    "Measure",
    "Recovery",
    "RowInfo",
    "ScoreCell",
    "ScoreMatrix",
    "Since",
    "StabilityGap",
    "Summary",
    "TeacherChoice",
    "benjamini_hochberg",
    "break_words",
    "choose_teachers",
    "compare",
    "correct",
    "deepest_gaps",
    "detectable_changes",
    "effort_to_decide",
    "find_breaks",
    "find_changes",
    "find_changes_against",
    "find_changes_of_row",
    "find_flips",
    "find_harm",
    "gap_closed",
    "holm",
    "intransigence",
    "matrix_text",
    "measure_recovery",
    "plasticity",
    "rank_flips",
    "recovery_text",
    "retention",
    "score_cell",
    "stability_gap",
    "summarize",
    "verdict",
    "why_incomparable",
    "words",
]

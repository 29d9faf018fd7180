"""Which scores may be joined: those of the same version of a benchmark, its same problems, under the same protocol.

Whatever compares two cells asks `why_incomparable` first; `find_breaks` names the places where a line must be broken.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from runs.drift.matrix import ScoreCell, ScoreMatrix

NO_ITEMS = "no item results, so noise is unknown"


@dataclass(frozen=True)
class Break:
    """Two neighbours of one lineage whose scores must not be joined, and why."""

    column: str
    before: str  # row key of the nearest ancestor with a score
    after: str  # row key
    reason: str


def why_incomparable(before: ScoreCell, after: ScoreCell) -> str:
    """Say why two cells must not be compared; empty where they may."""
    if before.column != after.column:
        return "scores of two different benchmarks"
    if before.version != after.version:
        return f"scored on version {before.version or 'unknown'}, then on version {after.version or 'unknown'}"
    if before.settings and after.settings and (changed := changed_settings(before.settings, after.settings)):
        return f"scored under another protocol: {changed}"
    if before.protocol != after.protocol:
        return "scored on other problems" if before.settings and after.settings else "scored under another protocol"
    if before.values is not None and after.values is not None and len(before.values) != len(after.values):
        return f"scored on {before.n} and on {after.n} problems"
    return ""


def find_breaks(matrix: ScoreMatrix) -> list[Break]:
    """List every break, by column and then by row: each scored cell is held against its nearest scored ancestor."""
    found = []
    for column in matrix.columns:
        for row in matrix.rows:
            after = matrix.cell(row.key, column.domain)
            earlier = [matrix.cell(r.key, column.domain) for r in matrix.lineage(row.key)[:-1]]
            before = next((cell for cell in reversed(earlier) if cell is not None), None)
            if before and after and (reason := why_incomparable(before, after)):
                found.append(Break(column.domain, before.row, after.row, reason))
    return found


def break_words(matrix: ScoreMatrix, found: Break) -> str:
    """Write a break as a sentence."""
    title = matrix.column(found.column).title
    before, after = matrix.row(found.before).title, matrix.row(found.after).title
    return f"{title}: the line breaks between {before} and {after}, {found.reason}."


def changed_settings(before: Mapping[str, object], after: Mapping[str, object]) -> str:
    """List the settings that differ: 'temperature 0.6, then 1.0'."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return "; ".join(
        f"{name.replace('_', ' ')} {before.get(name, _unset(name))}, then {after.get(name, _unset(name))}"
        for name in names
    )


def _unset(name: str) -> str:
    return "avg" if name == "metric" else "unset"  # the mean of grades goes without a name

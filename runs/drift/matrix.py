"""The score matrix: checkpoints down, benchmarks across, and what may be asked of it.

Rows are the checkpoints of a run in the order of its stages, each knowing the row it starts from, so that a side branch
is no ancestor of what comes below it. Scores are fractions, 0 to 1; points (x 100) exist only where something is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from runs.drift.intervals import Interval, Values, mean_interval
from workers.metrics import k_of, metric_words

Kind = Literal["base", "sft", "grpo", "mopd"]


@dataclass(frozen=True)
class RowInfo:
    """A checkpoint: the base model, or what a stage left behind."""

    key: str
    title: str
    kind: Kind
    domains: tuple[str, ...] = ()  # what the stage trains
    parent: str | None = None  # the row it starts from
    steps: int = 0  # of the optimiser; 0 where they are not known


@dataclass(frozen=True)
class ColumnInfo:
    """A benchmark of a domain."""

    domain: str
    title: str
    label: str  # short column header
    chance: float = 0.0  # score of guessing
    metric: str = ""  # what a problem's result is, where it is not the mean of its grades: pass@4, exact, acc
    is_added: bool = False  # to the run, later than its recipe: a column of its own, in no average


@dataclass(frozen=True)
class ScoreCell:
    """One benchmark's score on one checkpoint.

    `values` holds each problem's result in the benchmark's order, so that two cells of a column pair up item by item;
    None (then `n` is 0) where only a mean was published. `protocol` is a digest of all that makes scores comparable:
    how the score was taken, the benchmark's version and its items; `version` and `settings` put it into words.
    """

    row: str
    column: str
    mean: float
    n: int = 0
    interval: Interval | None = None  # 95 %
    values: Values | None = field(default=None, compare=False, repr=False)
    protocol: str = ""
    version: str = ""  # of the benchmark; empty where it is not known
    settings: Mapping[str, float | int | str] = field(default_factory=dict, compare=False)
    samples: int = 1  # answers per problem behind each value

    @property
    def metric(self) -> str:
        """Name what each value is: 'avg@8', 'pass@4 of 8'."""
        return metric_words(self.settings, self.samples) if self.n else ""

    @property
    def averaged(self) -> int:
        """How many answers each value is the mean of; pass@k is of all of a problem's answers together, so of one."""
        return self.samples if k_of(self.settings) is None else 1


def score_cell(
    row: str,
    column: str,
    values: Iterable[float],
    *,
    protocol: str = "",
    version: str = "",
    settings: Mapping[str, float | int | str] | None = None,
    samples: int = 1,
) -> ScoreCell:
    """Make a cell, its mean and its interval from the results of the items, each the mean over k samples, 0 to 1."""
    results = np.asarray(list(values), dtype=np.float64)
    assert results.size, f"score of '{row}' on '{column}' has no items"
    assert ((results >= 0) & (results <= 1)).all(), f"score of '{row}' on '{column}' has an item outside 0 to 1"
    return ScoreCell(
        row,
        column,
        float(results.mean()),
        len(results),
        mean_interval(results),
        results,
        protocol,
        version,
        settings or {},
        samples,
    )


@dataclass(frozen=True)
class ScoreMatrix:
    """Scores of checkpoints (rows, in stage order) on benchmarks (columns); cells may be missing."""

    rows: tuple[RowInfo, ...]
    columns: tuple[ColumnInfo, ...]
    cells: Mapping[tuple[str, str], ScoreCell]  # (row key, column domain)

    def cell(self, row: str, column: str) -> ScoreCell | None:
        return self.cells.get((row, column))

    @cached_property
    def _rows_by_key(self) -> dict[str, RowInfo]:
        return {row.key: row for row in self.rows}

    def row(self, key: str) -> RowInfo:
        """Find a row; KeyError if there is none."""
        return self._rows_by_key[key]

    @cached_property
    def _columns_by_domain(self) -> dict[str, ColumnInfo]:
        return {column.domain: column for column in self.columns}

    def column(self, domain: str) -> ColumnInfo:
        """Find a column; KeyError if there is none."""
        return self._columns_by_domain[domain]

    @cached_property
    def averaged(self) -> tuple[ColumnInfo, ...]:
        """The columns that averages are over: what was added later must not make an earlier number another."""
        return tuple(column for column in self.columns if not column.is_added)

    def mean(self, row: str) -> float | None:
        """Average a row over the benchmarks of the recipe, 0 to 1; None where one is missing."""
        found = [cell.mean for column in self.averaged if (cell := self.cell(row, column.domain))]
        return sum(found) / len(found) if found and len(found) == len(self.averaged) else None

    def is_scored(self, key: str) -> bool:
        """Whether the row has a score at all."""
        return any(self.cell(key, column.domain) is not None for column in self.columns)

    def scored_rows(self) -> tuple[RowInfo, ...]:
        return tuple(row for row in self.rows if self.is_scored(row.key))

    def lineage(self, key: str) -> tuple[RowInfo, ...]:
        """List the row and all it descends from, oldest first."""
        line, at = [self.row(key)], self.row(key).parent
        while at is not None and at in self._rows_by_key:
            line.append(self.row(at))
            at = self.row(at).parent
        return tuple(reversed(line))

    def start_row(self) -> RowInfo | None:
        """Find where drift is counted from: the first SFT row, or the first row of a run without SFT."""
        return next((row for row in self.rows if row.kind == "sft"), self.rows[0] if self.rows else None)

    def final_row(self) -> RowInfo | None:
        """Find the last row with a score."""
        scored = self.scored_rows()
        return scored[-1] if scored else None

    def own_row(self, row: str, domain: str, *, start: str) -> RowInfo | None:
        """Find the last stage in the row's lineage that trains the domain.

        The start and what came before it is left out, since SFT trains everything, and so is MOPD, which wins back
        what other stages trained. None: no stage up to this row trains the domain (a guard benchmark).
        """
        since_start = rows_after(self.lineage(row), start)
        return next((r for r in reversed(since_start) if r.kind != "mopd" and domain in r.domains), None)


def rows_after(line: tuple[RowInfo, ...], start: str) -> tuple[RowInfo, ...]:
    """Cut a lineage to what comes after `start`; the whole of it where `start` is no part of it."""
    keys = [row.key for row in line]
    return line[keys.index(start) + 1 :] if start in keys else line

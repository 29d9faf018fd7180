"""Rows -> score matrix: the one place where drift's numbers are read from the database."""

from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q

from runs.drift.matrix import ColumnInfo, Kind, RowInfo, ScoreCell, ScoreMatrix, score_cell
from runs.models import Run, Score, Stage
from workers.catalogue import DOMAINS
from workers.spec import BASE


def score_matrix(run: Run, *, split: str = "test", before: int | None = None) -> ScoreMatrix:
    """Read a run's scores; with `before`, only those of the base and of stages above that position."""
    stages = list(run.stages.all())
    if before is not None:
        stages = stages[:before]
    names = {stage.pk: stage.name for stage in stages}
    base = () if run.published else (RowInfo(key=BASE, title="base", kind="base"),)
    rows = (*base, *(_row(stage, names) for stage in stages))
    columns = tuple(_column(benchmark) for benchmark in run.document["benchmarks"])
    cells = {(cell.row, cell.column): cell for cell in _cells(run, split)}
    known = {row.key for row in rows}
    return ScoreMatrix(rows, columns, {key: cell for key, cell in cells.items() if key[0] in known})


def _column(benchmark: dict[str, Any]) -> ColumnInfo:
    """A published benchmark names itself, and nobody knows what guessing would score on it."""
    if "title" in benchmark:
        return ColumnInfo(domain=benchmark["domain"], title=benchmark["title"], label=benchmark["label"])
    known = DOMAINS[benchmark["domain"]]
    return ColumnInfo(domain=benchmark["domain"], title=known.title, label=known.label, chance=known.chance)


def _row(stage: Stage, names: dict[int, str]) -> RowInfo:
    kind: Kind = stage.kind  # type: ignore[assignment]  # the database holds the spec's own words
    parent = names[stage.starts_from_id] if stage.starts_from_id else BASE
    return RowInfo(key=stage.name, title=stage.name, kind=kind, domains=tuple(stage.document["domains"]), parent=parent)


def _cells(run: Run, split: str) -> list[ScoreCell]:
    """One row a score, its items gathered by the database: far fewer objects than items."""
    scores = (
        Score.objects.filter(checkpoint__run=run, benchmark__split=split)
        .annotate(values_by_item=ArrayAgg("items__value", order_by="items__item", filter=Q(items__isnull=False)))
        .values_list(
            "checkpoint__stage__name",
            "benchmark__domain",
            "values_by_item",
            "benchmark__digest",
            "benchmark__version",
            "benchmark__protocol",
            "mean",
        )
        .order_by("checkpoint__at_step")  # of several checkpoints of a stage, the last stands
    )
    return [_cell(*score) for score in scores]


def _cell(
    name: str | None,
    domain: str,
    values: list[float] | None,
    digest: str,
    version: int,
    settings: dict[str, Any],
    mean: float,
) -> ScoreCell:
    """Make a cell of its items, or of a mean that was published without them."""
    row = name or BASE
    if values is None:
        return ScoreCell(row, domain, mean, protocol=digest, settings=settings)
    samples = settings.get("samples_per_problem", 1)
    return score_cell(row, domain, values, protocol=digest, version=str(version), settings=settings, samples=samples)

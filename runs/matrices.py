"""Rows -> score matrix: the one place where drift's numbers are read from the database."""

from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Value
from django.db.models.functions import Coalesce

from runs.drift.matrix import ColumnInfo, Kind, RowInfo, ScoreCell, ScoreMatrix, score_cell
from runs.models import ItemResult, Run, Score, Stage
from workers.catalogue import describe
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
    known = describe(benchmark["domain"])
    return ColumnInfo(domain=benchmark["domain"], title=known.title, label=known.label, chance=known.chance)


def _row(stage: Stage, names: dict[int, str]) -> RowInfo:
    kind: Kind = stage.kind  # type: ignore[assignment]  # the database holds the spec's own words
    parent = names[stage.starts_from_id] if stage.starts_from_id else BASE
    return RowInfo(key=stage.name, title=stage.name, kind=kind, domains=tuple(stage.document["domains"]), parent=parent)


def _cells(run: Run, split: str) -> list[ScoreCell]:
    """A cell a score; of several checkpoints of a stage, the last stands.

    The items are gathered by the database, which makes far fewer objects than items, and in a query of their own: grouped
    together with the benchmark's words they take several times as long.
    """
    scores = list(
        Score.objects.filter(checkpoint__run=run, benchmark__split=split)
        .select_related("benchmark")
        .annotate(row=Coalesce("checkpoint__stage__name", Value(BASE)))
        .order_by("checkpoint__at_step")
    )
    items = (
        ItemResult.objects.filter(score__in=[score.pk for score in scores])
        .order_by()
        .values("score")
        .annotate(in_order=ArrayAgg("value", order_by="item"))
    )
    values = dict(items.values_list("score", "in_order"))
    return [_cell(score, score.row, values.get(score.pk)) for score in scores]


def _cell(score: Score, row: str, values: list[float] | None) -> ScoreCell:
    """Make a cell of its items, or of a mean that was published without them."""
    benchmark = score.benchmark
    domain, digest, settings = benchmark.domain, benchmark.digest, benchmark.protocol
    if values is None:
        return ScoreCell(row, domain, score.mean, protocol=digest, settings=settings)
    return score_cell(
        row,
        domain,
        values,
        protocol=digest,
        version=str(benchmark.version),
        settings=settings,
        samples=settings.get("samples_per_problem", 1),
    )

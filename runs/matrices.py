"""Rows -> score matrix: the one place where drift's numbers are read from the database."""

from dataclasses import replace
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Value
from django.db.models.functions import Coalesce

from runs.drift.matrix import ColumnInfo, Kind, RowInfo, ScoreCell, ScoreMatrix, score_cell
from runs.drift.stability import During
from runs.models import ItemResult, Run, Score, Stage
from workers.catalogue import describe
from workers.metrics import name_metric
from workers.spec import BASE


def score_matrix(run: Run, *, split: str = "test", before: int | None = None) -> ScoreMatrix:
    """Read a run's scores; with `before`, only those of the base and of stages above that position."""
    stages = list(run.stages.all())
    if before is not None:
        stages = stages[:before]
    names = {stage.pk: stage.name for stage in stages}
    base = () if run.published else (RowInfo(key=BASE, title="base", kind="base"),)
    rows = (*base, *(_row(stage, names) for stage in stages))
    n_own = len(run.document["benchmarks"])
    columns = tuple(replace(_column(found), is_added=at >= n_own) for at, found in enumerate(run.benchmarks))
    cells = {(cell.row, cell.column): cell for _, cell in _cells(run, split)}
    known = {row.key for row in rows}
    return ScoreMatrix(rows, columns, {key: cell for key, cell in cells.items() if key[0] in known})


def scores_of_domain(run: Run, domain: str) -> dict[str, Score]:
    """Find a domain's test score of every row, with its benchmark and checkpoint; of several of a stage the last stands."""
    found = (
        Score.objects.filter(checkpoint__run=run, benchmark__domain=domain, benchmark__split="test")
        .filter(checkpoint__is_mid_stage=False)
        .select_related("benchmark", "checkpoint__stage")
        .order_by("checkpoint__at_step")
    )
    return {score.checkpoint.stage.name if score.checkpoint.stage else BASE: score for score in found}


def _column(benchmark: dict[str, Any]) -> ColumnInfo:
    """A published benchmark names itself, and nobody knows what guessing would score on it."""
    if "title" in benchmark:
        return ColumnInfo(domain=benchmark["domain"], title=benchmark["title"], label=benchmark["label"])
    known = describe(benchmark["domain"])
    return ColumnInfo(
        domain=benchmark["domain"],
        title=known.title,
        label=known.label,
        chance=known.chance,
        metric=_metric(benchmark),
    )


def _metric(benchmark: dict[str, Any]) -> str:
    if "task" in benchmark:
        return benchmark["metric"] or "default"
    return name_metric(benchmark.get("metric", "avg"), benchmark.get("k", 1))


def _row(stage: Stage, names: dict[int, str]) -> RowInfo:
    kind: Kind = stage.kind  # type: ignore[assignment]  # the database holds the spec's own words
    parent = names[stage.starts_from_id] if stage.starts_from_id else BASE
    return RowInfo(
        key=stage.name,
        title=stage.name,
        kind=kind,
        domains=tuple(stage.document["domains"]),
        parent=parent,
        steps=stage.document.get("steps", 0),
    )


def mid_stage_cells(run: Run) -> During:
    """Read the test scores of checkpoints in the middle of stages, which are no rows of the matrix."""
    found: dict[tuple[str, str], dict[int, ScoreCell]] = {}
    if any(stage.document.get("score_every") for stage in run.stages.all()):
        for at_step, cell in _cells(run, "test", is_mid_stage=True):
            found.setdefault((cell.row, cell.column), {})[at_step] = cell
    return found


def _cells(run: Run, split: str, *, is_mid_stage: bool = False) -> list[tuple[int, ScoreCell]]:
    """A cell a score, with the step of its checkpoint; of several checkpoints of a stage, the last stands.

    The items are gathered by the database, which makes far fewer objects than items, and in a query of their own: grouped
    together with the benchmark's words they take several times as long.
    """
    scores = list(
        Score.objects.filter(checkpoint__run=run, checkpoint__is_mid_stage=is_mid_stage, benchmark__split=split)
        .select_related("benchmark", "checkpoint")
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
    return [(score.checkpoint.at_step, _cell(score, score.row, values.get(score.pk))) for score in scores]


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
        samples=score.samples,
    )

"""Rows -> score matrix: the one place where drift's numbers are read from the database."""

from django.contrib.postgres.aggregates import ArrayAgg

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
    rows = (RowInfo(key=BASE, title="base", kind="base"), *(_row(stage, names) for stage in stages))
    columns = tuple(
        ColumnInfo(domain=name, title=DOMAINS[name].title, label=DOMAINS[name].label, chance=DOMAINS[name].chance)
        for name in (benchmark["domain"] for benchmark in run.document["benchmarks"])
    )
    cells = {(cell.row, cell.column): cell for cell in _cells(run, split)}
    known = {row.key for row in rows}
    return ScoreMatrix(rows, columns, {key: cell for key, cell in cells.items() if key[0] in known})


def _row(stage: Stage, names: dict[int, str]) -> RowInfo:
    kind: Kind = stage.kind  # type: ignore[assignment]  # the database holds the spec's own words
    parent = names[stage.starts_from_id] if stage.starts_from_id else BASE
    return RowInfo(key=stage.name, title=stage.name, kind=kind, domains=tuple(stage.document["domains"]), parent=parent)


def _cells(run: Run, split: str) -> list[ScoreCell]:
    """One row a score, its items gathered by the database: far fewer objects than items."""
    scores = (
        Score.objects.filter(checkpoint__run=run, benchmark__split=split)
        .annotate(values_by_item=ArrayAgg("items__value", order_by="items__item"))
        .values_list(
            "checkpoint__stage__name",
            "benchmark__domain",
            "values_by_item",
            "benchmark__digest",
            "benchmark__version",
            "benchmark__protocol",
        )
        .order_by("checkpoint__at_step")  # of several checkpoints of a stage, the last stands
    )
    return [
        score_cell(
            name or BASE,
            domain,
            values,
            protocol=digest,
            version=str(version),
            settings=settings,
            samples=settings.get("samples_per_problem", 1),
        )
        for name, domain, values, digest, version, settings in scores
    ]

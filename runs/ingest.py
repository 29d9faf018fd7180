"""Stage folder -> rows. Reading twice is harmless: rows are upserts, and steps done again replace the old ones."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import transaction

from runs.models import Benchmark, Checkpoint, ItemResult, Metric, Run, Score, Stage
from workers.stage_dir import ScoreRecord, StageDir, StepRecord, read_records


def run_folder(run: Run) -> Path:
    """Where a run's stages have their folders."""
    return Path(settings.ARTIFACTS_DIR) / run.public_id


def stage_folder(stage: Stage) -> StageDir:
    """A stage's folder."""
    return StageDir(run_folder(stage.run) / stage.name)


def checkpoint_folder(checkpoint: Checkpoint) -> Path:
    """A checkpoint's weights: in the run's folder, or a base model's below MODELS_DIR."""
    if checkpoint.stage is None and checkpoint.run.document["model"]["kind"] == "folder":
        return Path(settings.MODELS_DIR) / checkpoint.folder
    return run_folder(checkpoint.run) / checkpoint.folder


def scoring_folder(checkpoint: Checkpoint) -> StageDir:
    """Where a checkpoint's scoring is done."""
    name = checkpoint.stage.name if checkpoint.stage else "base"
    return StageDir(run_folder(checkpoint.run) / name).scoring(checkpoint.at_step)


@dataclass
class StepReader:
    """Reads a stage's new steps into rows. A resumed trainer replaces the file, so a new file is read from its start."""

    stage: Stage
    _offset: int = 0
    _inode: int = field(default=0)

    def ingest(self) -> dict[str, float] | None:
        """Store the whole lines that are new; returns the last one's metrics, None if there is none."""
        path = stage_folder(self.stage).steps
        if not path.exists():
            return None
        inode = path.stat().st_ino
        if inode != self._inode:
            self._inode, self._offset = inode, 0
        records, self._offset = read_records(path, StepRecord, offset=self._offset)
        _store_steps(self.stage, records)
        return records[-1].metrics if records else None


def _store_steps(stage: Stage, records: list[StepRecord]) -> None:
    newest = {record.step: record for record in records}
    Metric.objects.bulk_create(
        (
            Metric(stage=stage, step=record.step, name=name, value=value)
            for record in newest.values()
            for name, value in record.metrics.items()
        ),
        update_conflicts=True,
        unique_fields=["stage", "name", "step"],
        update_fields=["value"],
        batch_size=2000,
    )


def ingest_scores(checkpoint: Checkpoint) -> None:
    """Store all scores of a checkpoint with their items, in one transaction."""
    records, _ = read_records(scoring_folder(checkpoint).scores, ScoreRecord)
    with transaction.atomic():
        checkpoint.scores.all().delete()
        for record in records:
            _store_score(checkpoint, record)


def _store_score(checkpoint: Checkpoint, record: ScoreRecord) -> None:
    score = Score.objects.create(
        checkpoint=checkpoint,
        benchmark=_benchmark(record),
        mean=record.mean,
        n_items=len(record.items),
        response_tokens=sum(item.n_tokens for item in record.items) / max(len(record.items), 1),
    )
    ItemResult.objects.bulk_create(
        ItemResult(
            score=score,
            item=item.item,
            value=item.value,
            response=_storable(item.response),
            prompt=_storable(item.prompt),
            n_tokens=item.n_tokens,
        )
        for item in record.items
    )


def _benchmark(record: ScoreRecord) -> Benchmark:
    identity = {
        "domain": record.domain,
        "split": record.split,
        "version": record.version,
        "protocol": record.protocol,
        "items": [item.key for item in record.items],
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    fields = {"domain": record.domain, "split": record.split, "version": record.version, "protocol": record.protocol}
    return Benchmark.objects.get_or_create(digest=digest, defaults=fields)[0]


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{SYMBOL FOR NULL}")  # PostgreSQL stores no null characters

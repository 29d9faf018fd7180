"""Stage folder -> rows. Reading twice is harmless: rows are upserts, and steps done again replace the old ones."""

import hashlib
import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import transaction

from runs.models import AddedScoring, Benchmark, Checkpoint, ItemResult, Metric, Run, Score, Stage, TopUp
from workers.answers import with_further_answers
from workers.model_card import CardScore, model_card
from workers.spec import ResolvedStageSpec
from workers.stage_dir import MODEL_CARD, ScoreRecord, StageDir, StepRecord, read_records, write_text

logger = logging.getLogger(__name__)

SPLITS = ("validation", "test")
MAX_PARTS, MAX_PART = 12, 120  # parts of a grade kept with each item, and characters of each name and text
_LONGEST_NAME = Metric._meta.get_field("name").max_length or 0


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


def top_up_folder(top_up: TopUp) -> StageDir:
    """Where a top-up's answers are sampled."""
    return scoring_folder(top_up.checkpoint).top_up(top_up.benchmark.domain)


def added_folder(added: AddedScoring) -> StageDir:
    """Where a checkpoint is scored on an added benchmark."""
    return scoring_folder(added.checkpoint).added(added.benchmark.domain)


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
        return _storable_metrics(records[-1]) if records else None


def _store_steps(stage: Stage, records: list[StepRecord]) -> None:
    newest = {record.step: record for record in records}
    Metric.objects.bulk_create(
        (
            Metric(stage=stage, step=record.step, name=name, value=value)
            for record in newest.values()
            for name, value in _storable_metrics(record).items()
        ),
        update_conflicts=True,
        unique_fields=["stage", "name", "step"],
        update_fields=["value"],
        batch_size=2000,
    )


def _storable_metrics(record: StepRecord) -> dict[str, float]:
    """Leave out what no row holds; a number that is none is a gap in its curve."""
    return {
        name: value
        for name, value in record.metrics.items()
        if math.isfinite(value) and len(name) <= _LONGEST_NAME and "\0" not in name
    }


def ingest_scores(checkpoint: Checkpoint, splits: tuple[str, ...] = SPLITS) -> None:
    """Store a checkpoint's scores of some splits with their items, in one transaction; they replace what was there."""
    with _scores_locked(checkpoint):
        checkpoint.scores.filter(benchmark__split__in=splits).delete()
        for (_, split), record in _scores(checkpoint).items():
            if split in splits:
                _store_score(checkpoint, record)


def n_scored_answers(checkpoint: Checkpoint, domain: str) -> int:
    """Count the answers per test problem that a scoring left; FileNotFoundError where its folder has none."""
    record = _scored(checkpoint).get((domain, "test"))
    if record is None:
        path = scoring_folder(checkpoint).scores
        raise FileNotFoundError(f"found no score of {domain} in {path}, which further answers would be joined with")
    return record.samples


def ingest_top_up(top_up: TopUp) -> int:
    """Store a topped-up score in place of the one before; returns the answers per problem that it now rests on."""
    checkpoint, benchmark = top_up.checkpoint, top_up.benchmark
    record = _scores(checkpoint).get((benchmark.domain, benchmark.split))
    if record is None or _benchmark(record) != benchmark:
        return 0
    with _scores_locked(checkpoint):
        checkpoint.scores.filter(benchmark=benchmark).delete()
        _store_score(checkpoint, record)
    return record.samples


def ingest_added(added: AddedScoring) -> bool:
    """Store a checkpoint's scores on an added benchmark; False where its folder has none on test problems."""
    checkpoint, domain = added.checkpoint, added.benchmark.domain
    records = {split: record for (name, split), record in _scores(checkpoint).items() if name == domain}
    if "test" not in records:
        return False
    with _scores_locked(checkpoint):
        checkpoint.scores.filter(benchmark__domain=domain).delete()
        for record in records.values():
            _store_score(checkpoint, record)
    return True


@contextmanager
def _scores_locked(checkpoint: Checkpoint) -> Iterator[None]:
    """One replacement of a checkpoint's scores at a time: a scoring and top-ups may end together."""
    with transaction.atomic():
        Checkpoint.objects.select_for_update(no_key=True).get(pk=checkpoint.pk)
        yield


def write_card(checkpoint: Checkpoint) -> None:
    """Put the scores into the model card of a checkpoint that a stage left; what cannot be written costs the card only."""
    if checkpoint.stage is None:
        return
    folder, spec_path = checkpoint_folder(checkpoint), stage_folder(checkpoint.stage).spec
    step = checkpoint.at_step if checkpoint.is_mid_stage else None
    try:
        spec = ResolvedStageSpec.model_validate_json(spec_path.read_text())
        scores = [_on_card(score) for score in _scores(checkpoint).values()]
        write_text(folder / MODEL_CARD, model_card(spec, scores=scores, step=step))
    except (OSError, ValueError) as error:
        logger.warning("the model card of %s is without scores: %s", folder, error)


def _on_card(score: ScoreRecord) -> CardScore:
    return CardScore(
        score.domain, score.split, score.version, score.protocol, score.mean, len(score.items), score.samples
    )


def missing_scores(checkpoint: Checkpoint, splits: tuple[str, ...] = SPLITS) -> list[str]:
    """Name the benchmarks of the recipe that a checkpoint's scoring folder has no whole score of, in some splits."""
    found = _scores(checkpoint)
    wanted = [
        (benchmark["domain"], split)
        for benchmark in checkpoint.run.document["benchmarks"]
        for split in splits
        if split == "test" or "task" not in benchmark  # whether a task has a validation split, only its documents tell
    ]
    return [f"{domain} ({split})" for domain, split in wanted if (domain, split) not in found]


def _scores(checkpoint: Checkpoint) -> dict[tuple[str, str], ScoreRecord]:
    """Read a checkpoint's scores, each with all the answers that top-ups added."""
    folder = scoring_folder(checkpoint)
    found = {}
    for key, record in _scored(checkpoint).items():
        further, _ = read_records(folder.top_up(record.domain).scores, ScoreRecord)
        found[key] = with_further_answers(record, further)
    return found


def _scored(checkpoint: Checkpoint) -> dict[tuple[str, str], ScoreRecord]:
    """Read what a checkpoint's scoring left, and that on benchmarks which were added to its run."""
    folder = scoring_folder(checkpoint)
    paths = [folder.scores, *sorted((folder.path / "added").glob("*/scores.jsonl"))]
    records = [record for path in paths for record in read_records(path, ScoreRecord)[0]]
    return {(record.domain, record.split): record for record in records}


def _store_score(checkpoint: Checkpoint, record: ScoreRecord) -> None:
    score = Score.objects.create(
        checkpoint=checkpoint,
        benchmark=_benchmark(record),
        mean=record.mean,
        n_items=len(record.items),
        samples=record.samples,
        response_tokens=sum(item.n_tokens for item in record.items) / max(len(record.items), 1),
    )
    ItemResult.objects.bulk_create(
        ItemResult(
            score=score,
            item=item.item,
            value=item.value,
            grades=item.grades,
            response=_storable(item.response),
            prompt=_storable(item.prompt),
            n_tokens=item.n_tokens,
            n_truncated=item.n_truncated,
            parts=_storable_parts(item.parts),
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


def _storable_parts(parts: dict[str, float | str]) -> dict[str, float | str]:
    """Keep of a grade's parts what a row holds: the first MAX_PARTS, texts cut to MAX_PART characters, no NaN."""
    kept = [(name, value) for name, value in parts.items() if isinstance(value, str) or math.isfinite(value)]
    return {
        _storable(name)[:MAX_PART]: _storable(value)[:MAX_PART] if isinstance(value, str) else value
        for name, value in kept[:MAX_PARTS]
    }

"""Decide what a stage's spec leaves open, and write it into the stage's folder for the trainer.

Decided once, when the stage becomes ready, and kept in its row: a retry learns from the same teachers.
"""

import os
from pathlib import Path

from runs.data_sets import folders_of
from runs.drift.teachers import choose_teachers
from runs.ingest import added_folder, checkpoint_folder, n_scored_answers, scoring_folder, stage_folder, top_up_folder
from runs.lm_tasks import access_for
from runs.matrices import score_matrix
from runs.models import AddedScoring, Checkpoint, Run, Stage, TopUp
from workers.spec import (
    BASE,
    BEST,
    AnyBenchmarkSpec,
    BenchmarkSpec,
    MOPDSpec,
    RecipeSpec,
    ResolvedStageSpec,
    ScoringSpec,
    SFTSpec,
    StageSpec,
    TopUpSpec,
)
from workers.stage_dir import StageDir, write_document


def write_stage_spec(stage: Stage) -> None:
    """Resolve a stage, if that was not done before, and write its spec.json."""
    if stage.resolved is None:
        stage.resolved = _resolve(stage).model_dump(mode="json")
        Stage.objects.filter(pk=stage.pk).update(resolved=stage.resolved)
    write_document(stage_folder(stage).spec, ResolvedStageSpec.model_validate(stage.resolved))


def write_scoring_spec(checkpoint: Checkpoint) -> None:
    """Write the spec.json of a checkpoint's scoring."""
    recipe = RecipeSpec.model_validate(checkpoint.run.document)
    _write_scoring(checkpoint, scoring_folder(checkpoint), recipe, recipe.benchmarks)


def write_added_spec(added: AddedScoring) -> None:
    """Write the spec.json of a checkpoint's scoring on an added benchmark."""
    recipe = whole_recipe(added.run)
    asked = tuple(asked for asked in recipe.benchmarks if asked.domain == added.benchmark.domain)
    _write_scoring(added.checkpoint, added_folder(added), recipe, asked)


def whole_recipe(run: Run) -> RecipeSpec:
    """The recipe of a run with the benchmarks that were added to it."""
    document = {**run.document, "benchmarks": run.benchmarks, "data_sets": run.data_set_pins}
    return RecipeSpec.model_validate(document)


def _write_scoring(
    checkpoint: Checkpoint, folder: StageDir, recipe: RecipeSpec, asked: tuple[AnyBenchmarkSpec, ...]
) -> None:
    spec = ScoringSpec(
        run=checkpoint.run.public_id,
        seed=recipe.seed,
        checkpoint_folder=_as_seen_from(folder.path, checkpoint_folder(checkpoint)),
        benchmarks=asked,
        data_folders=_data_folders(checkpoint.run, recipe, [one.domain for one in asked], folder.path),
        digests={name: data_set.digest for name, data_set in recipe.data_sets.items()},
        tasks=access_for(asked),
    )
    write_document(folder.spec, spec)


def write_top_up_spec(top_up: TopUp) -> None:
    """Write the spec.json of a top-up; what a former one left as done is not all of this one."""
    checkpoint, folder = top_up.checkpoint, top_up_folder(top_up)
    recipe = whole_recipe(checkpoint.run)
    domain = top_up.benchmark.domain
    asked = next(benchmark for benchmark in recipe.benchmarks if benchmark.domain == domain)
    assert isinstance(asked, BenchmarkSpec), "a task answers once; its changes offer no top-up"
    spec = TopUpSpec(
        run=checkpoint.run.public_id,
        seed=recipe.seed,
        checkpoint_folder=_as_seen_from(folder.path, checkpoint_folder(checkpoint)),
        benchmark=asked,
        version=top_up.benchmark.version,
        n_scored=n_scored_answers(checkpoint, domain),
        n_answers=top_up.samples,
        data_folders=_data_folders(checkpoint.run, recipe, [domain], folder.path),
        digests={name: data_set.digest for name, data_set in recipe.data_sets.items()},
    )
    write_document(folder.spec, spec)
    folder.outcome.unlink(missing_ok=True)


def _resolve(stage: Stage) -> ResolvedStageSpec:
    recipe, here = RecipeSpec.model_validate(stage.run.document), stage_folder(stage).path
    teachers = _teachers(stage)
    start = stage.starts_from.name if stage.starts_from else BASE
    builds_base = start == BASE and recipe.model.kind == "tiny"
    return ResolvedStageSpec(
        run=stage.run.public_id,
        recipe=str(stage.run.recipe),
        seed=recipe.seed,
        model=recipe.model,
        stage=stage.spec,
        start_folder=None if builds_base else _folder_of(stage.run, start, here),
        teachers=teachers,
        teacher_folders={domain: _folder_of(stage.run, name, here) for domain, name in teachers.items()},
        data_folders=_data_folders(stage.run, recipe, _domains_of(stage.spec), here),
    )


def _domains_of(stage: StageSpec) -> list[str]:
    return [*stage.domains, *(stage.early_domains if isinstance(stage, SFTSpec) else ())]


def _data_folders(run: Run, recipe: RecipeSpec, domains: list[str], here: Path) -> dict[str, str]:
    pins = {name: recipe.data_sets[name].digest for name in domains if name in recipe.data_sets}
    return {name: _as_seen_from(here, path) for name, path in folders_of(run.project, pins).items()}


def _teachers(stage: Stage) -> dict[str, str]:
    """Name the teacher of every domain; 'best' becomes the checkpoint with the best validation score so far."""
    spec = stage.spec
    if not isinstance(spec, MOPDSpec):
        return {}
    named = {domain: spec.teacher_of(domain) for domain in spec.domains}
    if BEST not in named.values():
        return named
    validation = score_matrix(stage.run, split="validation", before=stage.position)
    best = choose_teachers(validation)
    return {domain: best[domain].row if name == BEST else name for domain, name in named.items()}


def _folder_of(run: Run, name: str, here: Path) -> str:
    checkpoint = run.checkpoints.filter(stage__name=name).last() if name != BASE else run.checkpoints.get(stage=None)
    assert checkpoint is not None, f"the scheduler let a stage start before '{name}' left a checkpoint"
    return _as_seen_from(here, checkpoint_folder(checkpoint))


def _as_seen_from(here: Path, there: Path) -> str:
    """Relative to the reader's folder, so that the artifact folder may be mounted elsewhere on another host."""
    return os.path.relpath(there, here)

"""Decide what a stage's spec leaves open, and write it into the stage's folder for the trainer.

Decided once, when the stage becomes ready, and kept in its row: a retry learns from the same teachers.
"""

import os
from pathlib import Path

from django.conf import settings

from runs.data_sets import folders_of
from runs.drift.teachers import choose_teachers
from runs.ingest import added_folder, checkpoint_folder, n_scored_answers, scoring_folder, stage_folder, top_up_folder
from runs.lm_tasks import access_for
from runs.matrices import score_matrix
from runs.models import AddedScoring, Checkpoint, Run, Stage, TopUp
from runs.registered_models import insist_on_own_files
from workers.spec import (
    BASE,
    BEST,
    AnyBenchmarkSpec,
    BenchmarkSpec,
    FolderModelSpec,
    FolderRewardSpec,
    GRPOSpec,
    JudgeRewardSpec,
    MOPDSpec,
    RecipeSpec,
    ResolvedStageSpec,
    ScoringSpec,
    SFTSpec,
    StageSpec,
    TinyModelSpec,
    TopUpSpec,
)
from workers.stage_dir import StageDir, write_document


def write_stage_spec(stage: Stage) -> None:
    """Resolve a stage, if that was not done before, and write its spec.json."""
    if stage.resolved is None:
        stage.resolved = _resolve(stage).model_dump(mode="json")
        Stage.objects.filter(pk=stage.pk).update(resolved=stage.resolved)
    spec = ResolvedStageSpec.model_validate(stage.resolved)
    _insist_on_own_files(spec.model)
    if isinstance(spec.stage, GRPOSpec) and isinstance(spec.stage.reward_model, FolderRewardSpec):
        insist_on_own_files(spec.stage.reward_model.folder)
    write_document(stage_folder(stage).spec, spec)


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
    _insist_on_own_files(recipe.model)
    spec = ScoringSpec(
        run=checkpoint.run.public_id,
        seed=recipe.seed,
        checkpoint_folder=_as_seen_from(folder.path, checkpoint_folder(checkpoint)),
        benchmarks=asked,
        data_folders=_data_folders(checkpoint.run, recipe, [one.domain for one in asked], folder.path),
        digests={name: data_set.digest for name, data_set in recipe.data_sets.items()},
        tasks=access_for(asked),
        judge=_judge_of_rows(recipe, [one.domain for one in asked], in_benchmark=True),
    )
    write_document(folder.spec, spec)


def write_top_up_spec(top_up: TopUp) -> None:
    """Write the spec.json of a top-up; what a former one left as done is not all of this one."""
    checkpoint, folder = top_up.checkpoint, top_up_folder(top_up)
    recipe = whole_recipe(checkpoint.run)
    domain = top_up.benchmark.domain
    asked = next(benchmark for benchmark in recipe.benchmarks if benchmark.domain == domain)
    _insist_on_own_files(recipe.model)
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
        judge=_judge_of_rows(recipe, [domain], in_benchmark=True),
    )
    write_document(folder.spec, spec)
    folder.outcome.unlink(missing_ok=True)


def _resolve(stage: Stage) -> ResolvedStageSpec:
    recipe, here = RecipeSpec.model_validate(stage.run.document), stage_folder(stage).path
    teachers = _teachers(stage)
    start = stage.starts_from.name if stage.starts_from else BASE
    reward = stage.spec.reward_model if isinstance(stage.spec, GRPOSpec) else None
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
        judge=_judge_of_stage(recipe, stage.spec),
        reward_folder=_as_seen_from(here, settings.MODELS_DIR / reward.folder)
        if isinstance(reward, FolderRewardSpec)
        else None,
    )


def _judge_of_stage(recipe: RecipeSpec, stage: StageSpec) -> str | None:
    """Name the recipe's judge where a stage asks it; a trainer that has nothing to ask is told of none."""
    if isinstance(stage, SFTSpec):
        return None
    reward = stage.reward_model if isinstance(stage, GRPOSpec) else None
    asks_for_rewards = isinstance(reward, JudgeRewardSpec) and reward.judge is None
    return recipe.judge if asks_for_rewards else _judge_of_rows(recipe, list(stage.domains), in_benchmark=False)


def _judge_of_rows(recipe: RecipeSpec, domains: list[str], *, in_benchmark: bool) -> str | None:
    rows = [recipe.data_sets[name] for name in domains if name in recipe.data_sets]
    return recipe.judge if any(found.asks_judge(in_benchmark=in_benchmark) for found in rows) else None


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


def _insist_on_own_files(model: TinyModelSpec | FolderModelSpec) -> None:
    if isinstance(model, FolderModelSpec):
        insist_on_own_files(model.folder)


def _as_seen_from(here: Path, there: Path) -> str:
    """Relative to the reader's folder, so that the artifact folder may be mounted elsewhere on another host."""
    return os.path.relpath(there, here)

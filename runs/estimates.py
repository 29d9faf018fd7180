"""What a recipe will take, predicted before it runs; time is corrected by what a project's earlier stages took.

The web may be another machine than the workers, so what it says about memory is a warning; a worker refuses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from django.conf import settings
from django.db.models import Avg

from runs.models import Metric, Project, Stage, Status
from workers.estimate import (
    DEFAULT_PACE,
    Device,
    Pace,
    StageEstimate,
    TooLargeError,
    estimate_recipe,
    refuse_if_too_large,
    step_seconds,
)
from workers.load import Range
from workers.machine import count_gpus, has_gpu, memory_bytes, refuse_if_too_few_gpus
from workers.model_shape import ModelShape, UnknownShapeError, shape_of
from workers.spec import FolderRewardSpec, GRPOSpec, RecipeSpec, StageSpec

STAGES_LOOKED_AT = 12
STEPS_LOOKED_AT = 200  # a long stage's later steps take as long as these
SPREAD = (0.7, 1.5)  # beyond the slowest and fastest stage that were measured


@dataclass(frozen=True)
class RecipeEstimate:
    """A recipe's stages, or why nothing can be said of them."""

    stages: list[StageEstimate]
    unknown: str = ""
    n_measured: int = 0  # stages whose steps were measured
    missing: tuple[str, ...] = ()  # reward models that are not on this machine, in words

    @property
    def memory(self) -> Range | None:
        """Of the largest stage: one after the other they need no more."""
        return max((stage.memory for stage in self.stages), key=lambda found: found.expected, default=None)

    @property
    def seconds(self) -> Range | None:
        """Of all stages, one after the other."""
        return sum((stage.seconds for stage in self.stages), Range(0, 0, 0)) if self.stages else None

    @property
    def warnings(self) -> list[str]:
        """Say which stages would be refused if the worker were this machine."""
        return [words for stage in self.stages if (words := _refusal(stage))]


def estimate(recipe: RecipeSpec, project: Project) -> RecipeEstimate:
    """Predict every stage of a recipe in a project."""
    try:
        shape = shape_of(recipe.model, Path(settings.MODELS_DIR))
    except UnknownShapeError as error:
        return RecipeEstimate([], unknown=str(error), missing=tuple(_missing_reward_models(recipe.stages)))
    measured, device = _measured(project), _device(recipe)
    stages = estimate_recipe(recipe, shape, pace_of=_pace_of(measured, shape), device=device)
    missing = tuple(_missing_reward_models(recipe.stages))
    return RecipeEstimate(stages, n_measured=len(measured), missing=missing)


class MissingModelError(ValueError):
    """A reward model that a stage reads from a folder is not on this machine; the message names it."""


def refuse_missing_reward_models(stage: Stage) -> None:
    """Raise MissingModelError where a stage, or a later one of its run, reads a reward model that this worker does not have."""
    recipe = RecipeSpec.model_validate(stage.run.document)
    if missing := _missing_reward_models(recipe.stages[stage.position :]):
        raise MissingModelError(missing[0])


def _missing_reward_models(stages: Sequence[StageSpec]) -> list[str]:
    """Say of each stage that reads a reward model from a folder whether that is missing here."""
    wanted = [(stage.name, stage.reward_model) for stage in stages if isinstance(stage, GRPOSpec)]
    return [
        f"stage '{name}' takes the reward model in folder '{reward.folder}', which is not below MODELS_DIR on this machine; "
        "put it there on every worker, or name another folder"
        for name, reward in wanted
        if isinstance(reward, FolderRewardSpec)
        and not (Path(settings.MODELS_DIR) / reward.folder / "config.json").exists()
    ]


def refuse_what_is_too_large(stage: Stage) -> None:
    """Raise TooLargeError where a stage that is about to start on this worker, or a later one of its run, has no room here.

    Later stages count too, so that nothing is trained for hours before that is found out. With a GPU, only the trainer
    can tell of memory.
    """
    recipe = RecipeSpec.model_validate(stage.run.document)
    if has_gpu():
        for spec in recipe.stages[stage.position :]:
            refuse_if_too_few_gpus(spec.name, spec.processes, count_gpus())
        return
    found = estimate(recipe, stage.run.project)
    for later in found.stages[stage.position :]:
        refuse_if_too_large(later, memory_bytes())


def _refusal(stage: StageEstimate) -> str:
    try:
        refuse_if_too_large(stage, memory_bytes())
    except TooLargeError as error:
        return str(error)
    return ""


def _device(recipe: RecipeSpec) -> Device:
    return "gpu" if recipe.model.kind == "folder" and settings.FOLDER_MODEL_QUEUE == "gpu" else "cpu"


# Pace -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Measured:
    """A stage that ran: how much longer its steps took than the cost model says."""

    kind: str
    shape: ModelShape
    ratio: float


def _measured(project: Project) -> list[_Measured]:
    """Look at the newest finished stages, all of the machine that finished the newest one."""
    finished = Stage.objects.filter(run__project=project, status=Status.SUCCEEDED).select_related("run")
    stages = finished.exclude(worker="")  # a published stage was carried out by nobody here
    newest = stages.order_by("-finished_at").first()
    if newest is None:
        return []
    host = newest.worker.rpartition(":")[0]
    same_machine = stages.filter(worker__startswith=f"{host}:").order_by("-finished_at")[:STAGES_LOOKED_AT]
    by_pk = {stage.pk: stage for stage in same_machine}
    rows = Metric.objects.filter(stage__in=by_pk, name="step_s", step__lte=STEPS_LOOKED_AT)
    means = rows.order_by().values("stage").annotate(mean=Avg("value")).values_list("stage", "mean")
    return [found for pk, mean in means if mean > 0 and (found := _ratio(by_pk[pk], mean))]


def _ratio(stage: Stage, step_s: float) -> _Measured | None:
    recipe = RecipeSpec.model_validate(stage.run.document)
    try:
        shape = shape_of(recipe.model, Path(settings.MODELS_DIR))
    except UnknownShapeError:
        return None
    predicted = step_seconds(stage.spec, shape, device=_device(recipe))
    return _Measured(stage.kind, shape, step_s / predicted)


def _pace_of(measured: list[_Measured], shape: ModelShape) -> Callable[[StageSpec], Pace]:
    """Take stages of the same kind and model where there are any, else of the same kind, else any."""

    def pace(stage: StageSpec) -> Pace:
        alike = [found for found in measured if found.kind == stage.kind]
        same = [found for found in alike if found.shape == shape]
        ratios = [found.ratio for found in same or alike or measured]
        if not ratios:
            return DEFAULT_PACE
        return Pace(SPREAD[0] * min(ratios), median(ratios), SPREAD[1] * max(ratios), n_stages=len(ratios))

    return pace

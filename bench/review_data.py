"""A large run to review, seeded straight into the database: 24 benchmarks x 12 checkpoints x 500 items."""

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction

from runs import access
from runs.models import Benchmark, Checkpoint, ItemResult, Project, Run, Score, Stage, Status
from runs.presets import load_preset
from runs.recipes import save_recipe

N_BENCHMARKS, N_STAGES, N_ITEMS, N_VALIDATION = 24, 11, 500, 100  # and the base: 12 checkpoints
NAME, SPREAD = "bench-review", 0.15
BATCH = 5000


def seed_run() -> Run:
    """Make the run in a project of its own, or find the one that was made before."""
    user, _ = User.objects.get_or_create(username=NAME)
    project = access.ensure_project(NAME, user)
    return project.runs.first() or _make(project, user)


@transaction.atomic
def _make(project: Project, user: User) -> Run:
    recipe = save_recipe(project=project, spec=load_preset("tiny-cascade"), user=user)
    names = [f"bench_{number:02d}" for number in range(N_BENCHMARKS)]
    benchmarks = [{"domain": name, "title": f"Benchmark {name[-2:]}", "label": name[-2:]} for name in names]
    document = {**recipe.document, "benchmarks": benchmarks}
    run = Run.objects.create(project=project, recipe=recipe, number=1, name=NAME, document=document, created_by=user)
    rng = np.random.default_rng(0)
    splits = {"test": N_ITEMS, "validation": N_VALIDATION}
    of = {(name, split): _benchmark(name, split, n) for name in names for split, n in splits.items()}
    difficulty = {key: rng.normal(0, SPREAD, splits[key[1]]) for key in of}
    level = rng.uniform(0.2, 0.5, N_BENCHMARKS)
    for position, checkpoint in enumerate(_checkpoints(run, names)):
        level = np.clip(level + rng.normal(0, 0.04, N_BENCHMARKS), 0.05, 0.95)
        if position:
            level[2 * position - 2 : 2 * position] += 0.2  # what the stage trains
        for (name, split), benchmark in of.items():
            chance = np.clip(level[names.index(name)] + difficulty[name, split], 0, 1)
            _store(checkpoint, benchmark, rng.random(len(chance)) < chance)
    return run


def _checkpoints(run: Run, names: list[str]) -> list[Checkpoint]:
    """The base, an SFT stage's end and those of ten GRPO stages that train two benchmarks each."""
    kept = {"status": Status.SUCCEEDED, "folder": ""}
    made, before = [Checkpoint.objects.create(run=run, stage=None, at_step=0, **kept)], None
    for position in range(N_STAGES):
        trained = names if position == 0 else names[2 * position : 2 * position + 2]
        document = {**run.document["stages"][min(position, 1)], "name": f"stage_{position:02d}"}
        before = Stage.objects.create(
            run=run,
            position=position,
            name=document["name"],
            kind="sft" if position == 0 else "grpo",
            document={**document, "domains": dict.fromkeys(trained, 1)},
            starts_from=before,
            status=Status.SUCCEEDED,
        )
        made.append(Checkpoint.objects.create(run=run, stage=before, at_step=10, **kept))
    return made


def _benchmark(name: str, split: str, n: int) -> Benchmark:
    protocol = {"temperature": 1.0, "n_problems": n}
    fields = {"domain": name, "split": split, "version": 1, "protocol": protocol}
    return Benchmark.objects.get_or_create(digest=f"{NAME}-{name}-{split}"[:64], defaults=fields)[0]


def _store(checkpoint: Checkpoint, benchmark: Benchmark, is_right: np.typing.NDArray[np.bool_]) -> None:
    mean = float(is_right.mean())
    score = Score.objects.create(
        checkpoint=checkpoint, benchmark=benchmark, mean=mean, n_items=len(is_right), response_tokens=8.0
    )
    ItemResult.objects.bulk_create(
        (
            ItemResult(score=score, item=at, value=float(right), response="an answer", prompt="a prompt", n_tokens=8.0)
            for at, right in enumerate(is_right)
        ),
        batch_size=BATCH,
    )

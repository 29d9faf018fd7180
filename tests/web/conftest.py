"""A project, people in it, and a run that has scored; all made by the functions that the product uses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from runs import lifecycle
from runs.access import ensure_project
from runs.ingest import StepReader, ingest_scores, scoring_folder, stage_folder
from runs.models import Checkpoint, Membership, Project, Recipe, Role, Run, Stage
from runs.recipes import save_recipe
from workers.recipe_text import check_recipe
from workers.stage_dir import ItemRecord, ScoreRecord, StepRecord, append_record

SMALL_RECIPE: dict[str, Any] = {
    "name": "small",
    "seed": 7,
    "stages": [
        {"kind": "sft", "name": "sft", "domains": {"stem": 1.0, "tools": 1.0}, "steps": 20, "learning_rate": 0.003},
        {"kind": "grpo", "name": "stem", "domains": {"stem": 1.0}, "steps": 20, "learning_rate": 0.001},
        {
            "kind": "mopd",
            "name": "mopd",
            "domains": {"stem": 1.0, "tools": 1.0},
            "steps": 10,
            "learning_rate": 0.001,
            "teachers": {"stem": "stem", "tools": "sft"},
        },
    ],
    "benchmarks": [{"domain": "stem", "n_problems": 40}, {"domain": "tools", "n_problems": 40}],
}
# What each checkpoint gets right of 40 problems, on (stem, tools): the GRPO stage learns stem and loses tools, MOPD mends it.
RIGHT = {"base": (10, 2), "sft": (14, 30), "stem": (34, 8), "mopd": (32, 28)}
N_ITEMS = 40


@pytest.fixture(autouse=True)
def _own_artifacts(settings: Any, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "artifacts"


@pytest.fixture
def project(db: None) -> Project:
    return ensure_project("Tiny", User.objects.create_user("olive"))


@pytest.fixture
def member(project: Project) -> Callable[[Role], User]:
    """Make a member of the project with a role."""

    def make(role: Role) -> User:
        user, _ = User.objects.get_or_create(username=f"a-{role}")
        Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
        return user

    return make


@pytest.fixture
def stranger(db: None) -> User:
    """Somebody with a project of their own, and no part in ours."""
    user = User.objects.create_user("stranger")
    ensure_project("Elsewhere", user)
    return user


@pytest.fixture
def recipe(project: Project, member: Callable[[Role], User]) -> Recipe:
    return save_recipe(project=project, spec=check_recipe(SMALL_RECIPE), user=member(Role.RUNNER))


@pytest.fixture
def run(recipe: Recipe) -> Run:
    """A run that nobody has begun to work on."""
    return lifecycle.start_run(project=recipe.project, recipe=recipe, user=recipe.created_by)


@pytest.fixture
def finished_run(run: Run) -> Run:
    """A run whose three stages have trained and whose four checkpoints are scored."""
    lifecycle.add_base_checkpoint(run, folder="sft/base")
    for stage in run.stages.all():
        carry_out(stage)
    for checkpoint in run.checkpoints.all():
        score(checkpoint)
    return Run.objects.get(pk=run.pk)


@pytest.fixture
def as_role(member: Callable[[Role], User]) -> Callable[[Role], APIClient]:
    """A client signed in as a member with a role."""
    return lambda role: client_of(member(role))


@pytest.fixture
def runner(as_role: Callable[[Role], APIClient]) -> APIClient:
    return as_role(Role.RUNNER)


@pytest.fixture
def viewer(as_role: Callable[[Role], APIClient]) -> APIClient:
    return as_role(Role.VIEWER)


def client_of(user: User | None) -> APIClient:
    """A client signed in by session; one that sends JSON and lets no error through as an exception."""
    client = APIClient(raise_request_exception=False)
    client.default_format = "json"  # type: ignore[misc]
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def carry_out(stage: Stage) -> None:
    """Do what a worker does with a stage, less the training."""
    claim = lifecycle.claim_stage(stage.pk, worker="here:1")
    assert claim is not None
    for step in range(1, stage.n_steps + 1):
        metrics = {"loss": 1.0 / step, "reward/mean": step / 100}
        append_record(stage_folder(stage).steps, StepRecord(step=step, at=float(step), metrics=metrics))
    stage_folder(stage).log.write_text("".join(f"line {number}\n" for number in range(1000)))
    StepReader(stage).ingest()
    if stage.kind == "mopd":
        Stage.objects.filter(pk=stage.pk).update(resolved={"teachers": stage.document["teachers"]})
    lifecycle.finish_stage(claim, folder=f"{stage.name}/checkpoints/step_{stage.n_steps:06d}")


def score(checkpoint: Checkpoint) -> None:
    """Do what a worker does with a checkpoint, less the sampling."""
    claim = lifecycle.claim_checkpoint(checkpoint.pk, worker="here:1")
    assert claim is not None
    right = RIGHT[checkpoint.stage.name if checkpoint.stage else "base"]
    for domain, n_right in zip(("stem", "tools"), right, strict=True):
        for split in ("test", "validation"):
            append_record(scoring_folder(checkpoint).scores, _score_record(domain, split, n_right))
    ingest_scores(checkpoint)
    lifecycle.finish_scoring(claim)


def _score_record(domain: str, split: Any, n_right: int) -> ScoreRecord:
    items = [
        ItemRecord(
            item=item,
            key=f"{split}-{item}",
            prompt=f"problem {item}",
            value=float(item < n_right),
            response="an answer",
            n_tokens=3.0,
        )
        for item in range(N_ITEMS)
    ]
    protocol: dict[str, float | int | str] = {"temperature": 1.0, "k": 1}
    return ScoreRecord(domain=domain, split=split, version=1, protocol=protocol, mean=n_right / N_ITEMS, items=items)

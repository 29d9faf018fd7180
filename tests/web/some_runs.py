"""Rows and folders for tests: real ones, made as the product makes them, the fake trainer in place of torch."""

from django.contrib.auth.models import User

from runs import gates, ingest, lifecycle, ready, resolve
from runs.lifecycle import Claim
from runs.models import AddedScoring, Checkpoint, Membership, Project, Role, Run, Stage, TopUp
from runs.recipes import save_recipe
from tests.worker import fake_trainer
from workers.spec import RecipeSpec

DOMAINS = ("instructions", "stem")


def a_project(name: str = "Team", *, owner: str = "ada") -> Project:
    """Make a project and its owner, whose name is its password."""
    project = Project.objects.create(name=name, slug=name.lower())
    a_member(project, owner, Role.OWNER)
    return project


def a_member(project: Project, username: str, role: Role) -> User:
    user, _ = User.objects.get_or_create(username=username)
    Membership.objects.create(project=project, user=user, role=role)
    return user


def a_recipe(**changes: object) -> RecipeSpec:
    """SFT, then GRPO, then MOPD that learns from the best of them; six steps each."""
    rl = {
        "domains": {"instructions": 1},
        "steps": 6,
        "learning_rate": 1e-3,
        "prompts_per_step": 4,
        "rollouts_per_prompt": 4,
    }
    document = {
        "name": "small",
        "stages": [
            {"kind": "sft", "name": "warm", "domains": dict.fromkeys(DOMAINS, 1), "steps": 6, "learning_rate": 1e-3},
            {"kind": "grpo", "name": "if_rl", "checkpoint_every": 2, **rl},
            {"kind": "mopd", "name": "mopd", **rl, "domains": dict.fromkeys(DOMAINS, 1)},
        ],
        "benchmarks": [{"domain": name, "n_problems": 16, "n_validation": 8} for name in DOMAINS],
    }
    return RecipeSpec.model_validate({**document, **changes})


def a_run(project: Project, *, spec: RecipeSpec | None = None, name: str = "") -> Run:
    """Start a run in the owner's name."""
    owner = project.members.get(memberships__role=Role.OWNER)
    recipe = save_recipe(project=project, spec=spec or a_recipe(), user=owner)
    return lifecycle.start_run(project=project, recipe=recipe, user=owner, name=name)


def claim(stage: Stage, worker: str = "host:1") -> Claim:
    """Claim a stage that is known to be ready."""
    claimed = lifecycle.claim_stage(stage.pk, worker=worker)
    assert claimed is not None, f"{stage} is not ready"
    return claimed


def begin(run: Run, name: str, *, step: int = 3) -> Claim:
    """Claim a stage and bring its rows to a step, as a worker at work does."""
    claimed = claim(run.stages.get(name=name))
    lifecycle.beat(claimed, step=step, substep="sample", eta_s=70.0, reward=0.5)
    return claimed


def finish(run: Run, *names: str) -> None:
    """Carry out stages in this process and score what they leave behind."""
    for name in names:
        stage = claim(run.stages.get(name=name)).work
        assert isinstance(stage, Stage)
        folder = ingest.stage_folder(stage)
        resolve.write_stage_spec(stage)
        outcome = fake_trainer.work(folder)
        last = ingest.StepReader(stage).ingest() or {}
        lifecycle.beat(Claim(stage, stage.attempt), step=stage.n_steps, reward=last.get("reward"))
        if stage.position == 0:
            lifecycle.add_base_checkpoint(run, folder=f"{name}/checkpoints/step_000000")
        assert outcome.status == "done"
        lifecycle.finish_stage(Claim(stage, stage.attempt), folder=f"{name}/checkpoints/step_{stage.n_steps:06d}")
        folder.log.write_text(f"{name} went well\n")
        score_all(run)


def score_all(run: Run) -> None:
    """Score whatever waits for it."""
    for waiting in ready.checkpoints().filter(run=run):
        claimed = lifecycle.claim_checkpoint(waiting.pk, worker="host:2")
        assert claimed is not None
        assert isinstance(claimed.work, Checkpoint)
        resolve.write_scoring_spec(claimed.work)
        fake_trainer.work(ingest.scoring_folder(claimed.work))
        ingest.ingest_scores(claimed.work)
        lifecycle.finish_scoring(claimed)
        gates.check_gates(run)


def top_up_all(run: Run) -> None:
    """Sample whatever further answers wait for it."""
    for waiting in ready.top_ups().filter(run=run):
        claimed = lifecycle.claim_top_up(waiting.pk, worker="host:3")
        assert claimed is not None
        assert isinstance(claimed.work, TopUp)
        resolve.write_top_up_spec(claimed.work)
        fake_trainer.work(ingest.top_up_folder(claimed.work))
        ingest.ingest_top_up(claimed.work)
        lifecycle.finish_scoring(claimed)


def score_added(run: Run) -> None:
    """Score whatever waits on added benchmarks."""
    for waiting in ready.added_scorings().filter(run=run):
        claimed = lifecycle.claim_added_scoring(waiting.pk, worker="host:4")
        assert claimed is not None
        assert isinstance(claimed.work, AddedScoring)
        resolve.write_added_spec(claimed.work)
        fake_trainer.work(ingest.added_folder(claimed.work))
        assert ingest.ingest_added(claimed.work)
        lifecycle.finish_scoring(claimed)

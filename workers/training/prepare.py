"""What a stage needs before its first step: the weights it starts from, teachers, a reference, a reward model."""

from pathlib import Path
from typing import Protocol

import torch

from workers.spec import FolderRewardSpec, GRPOSpec, JudgeRewardSpec, MOPDSpec, ResolvedStageSpec, SFTSpec
from workers.stage_dir import StageDir
from workers.training.bad_spec import BadSpecError
from workers.training.checkpoints import load_checkpoint, save_checkpoint
from workers.training.distributed import anyone, is_first
from workers.training.domains import has_learned_reward
from workers.training.folder_reward import FolderRewards
from workers.training.genrm import JudgeRewards
from workers.training.grpo import GRPO, Rewards
from workers.training.judge import judge_named
from workers.training.kernels import check_liger, use_liger
from workers.training.lora import add_adapters, without_adapters
from workers.training.mopd import MOPD
from workers.training.policy import Policy, build_policy
from workers.training.precision import DTYPES
from workers.training.process import StopRequest
from workers.training.recompute import recompute_activations
from workers.training.record import Reporter
from workers.training.reward_model import prepare_reward_model
from workers.training.rollouts import Batch, Rollout
from workers.training.sampling import make_sampler
from workers.training.seeds import seed_of
from workers.training.sft import SFT
from workers.training.update import Credit, Update


class Method(Credit, Protocol):
    """What a kind of stage fills in; the loop calls these in this order."""

    updates_per_batch: int

    def sample(self, step: int) -> list[Rollout]: ...
    def grade(self, rollouts: list[Rollout]) -> None: ...

    def resample(self, rollouts: list[Rollout], step: int, round_: int) -> list[Rollout]:
        """Sample groups anew that teach nothing, under their old numbers; none where all is well or rounds are over."""
        ...

    def credit(self, rollouts: list[Rollout]) -> list[Rollout]: ...
    def metrics(self, batch: Batch, credited: list[Rollout], update: Update) -> dict[str, float]: ...


class StopRequestedError(Exception):
    """A stop was asked for while preparing, before there was anything to keep."""


def trainable_policy(folder: StageDir, spec: ResolvedStageSpec) -> Policy:
    """Load the weights that the stage starts from, and make them ready to train as it asks; `Optimizers` round them.

    Raises BadSpecError for what cannot be done with this model or on this machine.
    """
    stage = spec.stage
    if stage.liger:
        check_liger()
    # What is trained needs its start in float32; what adapters leave frozen can be rounded at once.
    policy = start_policy(folder, spec, DTYPES[stage.precision] if stage.lora else torch.float32)
    if stage.liger:
        use_liger(policy)
    if stage.lora:
        add_adapters(policy, stage.lora, seed_of(spec.seed, stage.name, "adapters"))
    if stage.gradient_checkpointing:
        recompute_activations(policy)
    return policy


def start_policy(folder: StageDir, spec: ResolvedStageSpec, dtype: torch.dtype = torch.float32) -> Policy:
    """Load the weights that the stage starts from; without any, build the base model and leave it as checkpoint 0."""
    if spec.start_folder is not None:
        return load_checkpoint(folder.path / spec.start_folder, dtype)
    policy = build_policy(spec.model, seed_of(spec.seed, "base model"))
    if is_first() and not folder.checkpoint(0).exists():
        save_checkpoint(folder.checkpoint(0), policy)
    return policy


def prepare_method(
    folder: StageDir, spec: ResolvedStageSpec, policy: Policy, report: Reporter, stop: StopRequest
) -> Method:
    """Make what the stage's kind needs: a sampler, a reference, a reward model, teachers."""
    stage = spec.stage
    policy.check_thinking(stage.thinking, "this stage")
    if isinstance(stage, SFTSpec):
        return SFT(spec, stage, policy)
    sampler = make_sampler(policy, stage.engine)
    if isinstance(stage, MOPDSpec):
        return MOPD(spec, stage, policy, sampler, teachers=_teachers(folder, spec, stage, policy))
    reference = _reference(folder, spec, policy) if stage.kl_coefficient > 0 else None
    reward_model = _reward_model(folder, spec, stage, policy, report, stop)
    return GRPO(spec, stage, policy, sampler, reference=reference, reward_model=reward_model)


def _reference(folder: StageDir, spec: ResolvedStageSpec, policy: Policy) -> Policy:
    """Find the start itself: after a resume, the policy is no longer what the penalty is measured from."""
    return without_adapters(policy) if spec.stage.lora else start_policy(folder, spec, DTYPES[spec.stage.precision])


def _teachers(folder: StageDir, spec: ResolvedStageSpec, stage: MOPDSpec, policy: Policy) -> dict[str, Policy]:
    """Load each teacher once, however many domains it teaches; raises BadSpecError if it speaks another language."""
    missing = sorted(set(stage.domains) - set(spec.teacher_folders))
    if missing:
        raise BadSpecError(
            f"found no teacher folder for domain '{missing[0]}', expected one per domain; add it to teacher_folders"
        )
    loaded: dict[Path, Policy] = {}
    for domain in stage.domains:
        path = (folder.path / spec.teacher_folders[domain]).resolve()
        if path not in loaded:
            loaded[path] = load_checkpoint(path, DTYPES[stage.precision])
            _check_tokenizer(policy, loaded[path], spec.teachers.get(domain, str(path)), domain)
    return {domain: loaded[(folder.path / spec.teacher_folders[domain]).resolve()] for domain in stage.domains}


def _check_tokenizer(student: Policy, teacher: Policy, name: str, domain: str) -> None:
    ours, theirs = student.tokenizer.get_vocab(), teacher.tokenizer.get_vocab()
    if ours != theirs:
        differing = len(set(ours.items()) ^ set(theirs.items()))
        raise BadSpecError(
            f"teacher '{name}' of '{domain}' has another tokenizer than the student ({differing} entries differ), so their "
            "tokens cannot be compared; choose a teacher that was trained from the same base model"
        )


def _reward_model(
    folder: StageDir, spec: ResolvedStageSpec, stage: GRPOSpec, policy: Policy, report: Reporter, stop: StopRequest
) -> Rewards | None:
    """Make what rewards the answers that no grader does; None where there is nothing of the kind to reward."""
    learned, wanted = [name for name in stage.domains if has_learned_reward(name)], stage.reward_model
    if not learned:
        return None
    if wanted is None:
        raise BadSpecError(f"found '{learned[0]}', whose reward is learned, without reward_model; add one")
    if isinstance(wanted, JudgeRewardSpec):
        name = wanted.judge or spec.judge
        if name is None:
            raise BadSpecError(
                "found no judge for the rewards, expected one in reward_model.judge or the recipe's judge"
            )
        return JudgeRewards(judge_named(name))
    if isinstance(wanted, FolderRewardSpec):
        if spec.reward_folder is None:
            raise BadSpecError("found no reward_folder, expected where the reward model lies; set it")
        report.tell("load", now=True)
        return FolderRewards(wanted, folder.path / spec.reward_folder)

    def before_step(step: int) -> None:
        report.tell("reward model")
        if anyone(stop.is_set()):
            raise StopRequestedError

    return prepare_reward_model(
        wanted,
        policy,
        seed=spec.seed,
        domains=learned,
        folder=folder.path / "reward_model",
        before_step=before_step,
    )

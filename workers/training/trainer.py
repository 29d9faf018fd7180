"""The loop: sample, grade, credit, update, record. Read this first.

SFT, GRPO and MOPD are this one loop. They differ in what they sample and in how the tokens of a rollout receive credit;
sft.py, grpo.py and mopd.py each fill the same verbs:

    sample        answers of the policy, or demonstrations
    grade         what each answer is worth
    credit        which answers the loss is made of, and what each token deserves
    update        one optimiser step on `-credit * log pi` (policy.py, loss.py)
    record        metrics, a few rollouts to read, now and then a checkpoint

One update per batch of rollouts. Every step seeds its own random generators, so a stage that was killed goes on from
its last checkpoint to the same weights, bit for bit on a CPU.
"""

import time
from pathlib import Path
from typing import Literal, Protocol

from torch import Tensor

from workers.catalogue import DOMAINS
from workers.spec import GRPOSpec, MOPDSpec, ResolvedStageSpec, SFTSpec
from workers.stage_dir import Outcome, StageDir, drop_records_after
from workers.training.checkpoints import load_checkpoint, load_resume, save_checkpoint, save_resume
from workers.training.failures import BadSpecError
from workers.training.grpo import GRPO
from workers.training.mopd import MOPD
from workers.training.optim import Optimizers, learning_rate_at
from workers.training.policy import Batch, Policy, TokenLosses, Update, build_policy, set_up_torch
from workers.training.process import StopRequest
from workers.training.record import Reporter, record_rollouts, record_step
from workers.training.reward_model import RewardModel, prepare_reward_model
from workers.training.rollouts import Rollout
from workers.training.sampling import make_sampler
from workers.training.seeds import seed_of
from workers.training.sft import SFT

LOG_EVERY = 10


class Method(Protocol):
    """What a kind of stage fills in."""

    average: Literal["token", "sequence"]
    temperature: float

    def sample(self, step: int) -> list[Rollout]: ...
    def grade(self, rollouts: list[Rollout]) -> None: ...
    def credit(self, rollouts: list[Rollout]) -> list[Rollout]: ...
    def token_losses(self, batch: Batch, logprobs_BTV: Tensor) -> TokenLosses: ...
    def sort_key(self, rollout: Rollout) -> str: ...
    def metrics(self, rollouts: list[Rollout], credited: list[Rollout], update: Update) -> dict[str, float]: ...


class StopRequestedError(Exception):
    """A stop was asked for while preparing, before there was anything to keep."""


def train(folder: StageDir, stop: StopRequest) -> Outcome:
    """Carry out the stage of a folder, from its start or from where an earlier attempt left off."""
    set_up_torch()
    spec = ResolvedStageSpec.model_validate_json(folder.spec.read_text())
    report = Reporter(folder, spec.stage.steps)
    report.tell("load", now=True)
    policy = _start_policy(folder, spec)
    optimizers = Optimizers(policy.model, spec.stage)
    done = load_resume(folder, policy, optimizers)
    drop_records_after(folder.steps, done)
    try:
        method = _method(folder, spec, policy, report, stop)
    except StopRequestedError:
        return Outcome(status="stopped", step=done)
    print(f"{spec.stage.kind} '{spec.stage.name}': step {done} of {spec.stage.steps}", flush=True)
    done = _loop(folder, spec, method, policy, optimizers, report, stop, done)
    if done < spec.stage.steps:
        return Outcome(status="stopped", step=done)
    report.tell("save", now=True)
    save_checkpoint(folder.checkpoint(done), policy)
    return Outcome(status="done", step=done)


def _loop(
    folder: StageDir,
    spec: ResolvedStageSpec,
    method: Method,
    policy: Policy,
    optimizers: Optimizers,
    report: Reporter,
    stop: StopRequest,
    done: int,
) -> int:
    """Take the steps after `done`; returns the last one taken, fewer than asked for if a stop was requested."""
    report.begin_steps(done)
    for step in range(done + 1, spec.stage.steps + 1):
        started = time.perf_counter()

        report.tell("sample")
        rollouts = method.sample(step)
        sampled = time.perf_counter()

        report.tell("grade")
        method.grade(rollouts)

        report.tell("credit")
        credited = method.credit(rollouts)
        graded = time.perf_counter()

        report.tell("update")
        update = policy.update(
            credited,
            optimizers,
            method.token_losses,
            step=step,
            average=method.average,
            temperature=method.temperature,
            sort_key=method.sort_key,
        )
        ended = time.perf_counter()

        report.tell("record")
        n_tokens = sum(len(rollout.token_ids) for rollout in rollouts)
        metrics = {
            "loss": update.loss,
            "grad_norm": update.grad_norm,
            "learning_rate": learning_rate_at(spec.stage, step),
            **({"entropy": update.entropy} if credited else {}),
            **method.metrics(rollouts, credited, update),
            "tokens_per_s": n_tokens / (ended - started),
            "step_s": ended - started,
            "sample_s": sampled - started,
            "grade_s": graded - sampled,
            "update_s": ended - graded,
        }
        record_step(folder, step, metrics)
        record_rollouts(folder, step, rollouts)
        report.step = step
        if step % LOG_EVERY == 0:
            _log(step, metrics)
        is_stopped = stop.is_set() and step < spec.stage.steps
        if is_stopped or (step % spec.stage.checkpoint_every == 0 and step < spec.stage.steps):
            report.tell("save")
            save_resume(folder, step, policy, optimizers)
        if is_stopped:
            return step
    return spec.stage.steps


def _start_policy(folder: StageDir, spec: ResolvedStageSpec) -> Policy:
    """Load the weights that the stage starts from; without any, build the base model and leave it as checkpoint 0."""
    if spec.start_folder is not None:
        return load_checkpoint(folder.path / spec.start_folder)
    policy = build_policy(spec.model, seed_of(spec.seed, "base model"))
    if not folder.checkpoint(0).exists():
        save_checkpoint(folder.checkpoint(0), policy)
    return policy


def _method(folder: StageDir, spec: ResolvedStageSpec, policy: Policy, report: Reporter, stop: StopRequest) -> Method:
    """Make what the stage's kind needs: a sampler, a reference, a reward model, teachers."""
    stage = spec.stage
    if isinstance(stage, SFTSpec):
        return SFT(spec, stage, policy)
    sampler = make_sampler(policy)
    if isinstance(stage, MOPDSpec):
        return MOPD(spec, stage, policy, sampler, teachers=_teachers(folder, spec, stage, policy))
    # Always the start itself: after a resume, the policy is no longer what the penalty is measured from.
    reference = _start_policy(folder, spec) if stage.kl_coefficient > 0 else None
    reward_model = _reward_model(folder, spec, stage, policy, report, stop)
    return GRPO(spec, stage, policy, sampler, reference=reference, reward_model=reward_model)


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
            loaded[path] = load_checkpoint(path)
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
) -> RewardModel | None:
    learned = [name for name in stage.domains if DOMAINS[name].learned_reward]
    if not learned or stage.reward_model is None:
        return None

    def before_step(step: int) -> None:
        report.tell("reward model")
        if stop.is_set():
            raise StopRequestedError

    return prepare_reward_model(
        stage.reward_model,
        policy,
        seed=spec.seed,
        domains=learned,
        file=folder.path / "reward_model" / "model.safetensors",
        before_step=before_step,
    )


def _log(step: int, metrics: dict[str, float]) -> None:
    shown = ("loss", "reward", "true_reward", "reverse_kl", "response_tokens", "grad_norm", "entropy", "tokens_per_s")
    parts = [f"{name} {metrics[name]:.4g}" for name in shown if name in metrics]
    print(f"step {step}: {', '.join(parts)}", flush=True)

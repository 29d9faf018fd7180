"""The loop: sample, grade, credit, update, record. Read this first.

SFT, GRPO and MOPD are this one loop. They differ in what they sample and in how the tokens of a rollout receive credit;
sft.py, grpo.py and mopd.py each fill the same verbs:

    sample        answers of the policy, or demonstrations
    grade         what each answer is worth; groups that teach nothing may be sampled and graded anew
    credit        which answers the loss is made of, and what each token deserves
    update        an optimiser step on `-credit * log pi` (update.py, loss.py), or several where a stage asks for them
    record        metrics, a few rollouts to read, now and then a checkpoint

A step is one batch of rollouts; learning rates and checkpoints count steps. Every step seeds its own random generators, so a stage that was killed goes on from
its last checkpoint to the same weights, bit for bit on a CPU.

Where a stage has several processes, each of them runs this loop: distributed.py says how they share the work.
"""

from dataclasses import dataclass
from itertools import count

from workers.judges import named_judges
from workers.model_card import model_card
from workers.spec import ResolvedStageSpec
from workers.stage_dir import Outcome, StageDir, drop_records_after
from workers.training.checkpoints import keep_checkpoint, load_resume, save_checkpoint, save_resume
from workers.training.distributed import anyone, is_first, join, number, shard
from workers.training.domains import add_data
from workers.training.judge import take_judges
from workers.training.memory import check_memory
from workers.training.optim import Optimizers, learning_rate_at
from workers.training.policy import Policy, set_up_torch
from workers.training.precision import DTYPES
from workers.training.prepare import Method, StopRequestedError, prepare_method, trainable_policy
from workers.training.process import StopRequest
from workers.training.record import Reporter, judge_metrics, record_rollouts, record_step
from workers.training.rollouts import Batch
from workers.training.update import update_policy

VERBS = ("sample", "grade", "credit", "update")
LOG_EVERY = 10
LOGGED = (
    "loss", "reward", "true_reward", "reverse_kl", "response_tokens", "grad_norm", "entropy", "tokens_per_s", "judge_failed",
)  # fmt: skip


@dataclass(frozen=True)
class Training:
    """All that the loop works with."""

    folder: StageDir
    spec: ResolvedStageSpec
    policy: Policy
    optimizers: Optimizers
    method: Method
    report: Reporter


def train(folder: StageDir, stop: StopRequest) -> Outcome:
    """Carry out the stage of a folder, from its start or from where an earlier attempt left off."""
    spec = ResolvedStageSpec.model_validate_json(folder.spec.read_text())
    set_up_torch(spec.stage.cpu_threads)
    join(spec.stage.name)
    report = Reporter(folder, spec.stage.steps)
    check_memory(folder, spec)
    report.tell("load", now=True)
    take_judges(
        folder, named_judges(spec.model_dump()), of_recipe=spec.judge, number=number()
    )  # before any process is started, which would find their keys in the environment
    add_data({name: folder.path / data for name, data in spec.data_folders.items()})
    policy = trainable_policy(folder, spec)
    shard(policy, DTYPES[spec.stage.precision])
    optimizers = Optimizers(policy.model, spec.stage)
    done = load_resume(folder, optimizers)
    if is_first():
        drop_records_after(folder.steps, done)
    try:
        method = prepare_method(folder, spec, policy, report, stop)
    except StopRequestedError:
        return Outcome(status="stopped", step=done)
    print(f"{spec.stage.kind} '{spec.stage.name}': step {done} of {spec.stage.steps}", flush=True)
    done = _loop(Training(folder, spec, policy, optimizers, method, report), stop, done)
    if done < spec.stage.steps:
        return Outcome(status="stopped", step=done)
    report.tell("save", now=True)
    save_checkpoint(folder.checkpoint(done), policy, card=model_card(spec, scores=[]))
    return Outcome(status="done", step=done)


def _loop(training: Training, stop: StopRequest, done: int) -> int:
    """Take the steps after `done`; returns the last one taken, an earlier one than asked for if a stop was requested."""
    stage = training.spec.stage
    training.report.begin_steps(done)
    for step in range(done + 1, stage.steps):
        take_step(training, step)
        is_stopped = anyone(stop.is_set())
        is_due = step % stage.checkpoint_every == 0
        if is_stopped or is_due:
            training.report.tell("save")
            save_resume(training.folder, step, training.optimizers)
        if is_due and (stage.keep_last or step in stage.mid_stage_steps()):
            card = model_card(training.spec, scores=[], step=step)
            keep_checkpoint(training.folder, step, training.policy, stage=stage, card=card)
        if is_stopped:
            return step
    if done < stage.steps:
        take_step(training, stage.steps)
    return stage.steps


def take_step(training: Training, step: int) -> None:
    """Sample, grade, credit, update, record."""
    method, report = training.method, training.report
    batch = graded_batch(training, step)

    report.tell("credit")
    credited = method.credit(batch.rollouts)

    report.tell("update")
    update = update_policy(
        training.policy, credited, training.optimizers, method, step=step, n_updates=method.updates_per_batch
    )

    report.tell("record")
    seconds = report.end_step(step)
    step_s = sum(seconds[verb] for verb in VERBS)
    metrics = {
        "loss": update.loss,
        "grad_norm": update.grad_norm,
        "learning_rate": learning_rate_at(training.spec.stage, step),
        **({"entropy": update.entropy} if credited else {}),
        **method.metrics(batch, credited, update),
        **judge_metrics(),
        "tokens_per_s": batch.n_tokens / step_s,
        "step_s": step_s,
        **{f"{name}_s": seconds[name] for name in VERBS},
    }
    if is_first():
        record_step(training.folder, step, metrics)
        record_rollouts(training.folder, step, batch.rollouts)
    if step % LOG_EVERY == 0:
        shown = ", ".join(f"{name} {metrics[name]:.4g}" for name in LOGGED if name in metrics)
        print(f"step {step}: {shown}", flush=True)


def graded_batch(training: Training, step: int) -> Batch:
    """Sample and grade a step's answers; where the method replaces groups, again for those, until it asks for none."""
    method, report = training.method, training.report
    report.tell("sample")
    drawn = method.sample(step)
    report.tell("grade")
    method.grade(drawn)
    batch = Batch(drawn, drawn)
    for round_ in count(1):
        report.tell("sample")
        fresh = method.resample(batch.rollouts, step, round_)
        report.tell("grade")
        if not fresh:
            break
        method.grade(fresh)
        batch = batch.with_groups(fresh)
    return batch

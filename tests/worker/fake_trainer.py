"""A trainer and scorer without torch: writes a believable folder, as `workers.training` does, in milliseconds.

    python -m tests.worker.fake_trainer FOLDER

Its "weights" are a digest chained over the steps, so that a run which was killed and resumed can be compared with an
undisturbed one. Faults and speed come from the environment: FAKE_STEP_S (seconds a step takes), FAKE_SCORE_S
(seconds a score takes), FAKE_FAULT ("3:out_of_memory" or "3:kill": what happens after step 3, as often as it is reached).
"""

import hashlib
import math
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from workers.spec import BenchmarkSpec, GRPOSpec, MOPDSpec, ResolvedStageSpec, ScoringSpec, TopUpSpec
from workers.stage_dir import (
    ItemRecord,
    Outcome,
    Progress,
    RolloutRecord,
    ScoreRecord,
    StageDir,
    StepRecord,
    append_record,
    drop_records_after,
    keep_whole_records,
    load_json,
    step_name,
    step_of,
    write_document,
    write_text,
)

_stop_asked = False


def main(path: str) -> int:
    folder = StageDir(Path(path))
    signal.signal(signal.SIGTERM, _ask_to_stop)
    with folder.lock():
        outcome = work(folder)
        write_document(folder.outcome, outcome)
    print(f"{outcome.status}: {outcome.reason or f'step {outcome.step}'}", flush=True)
    return 1 if outcome.status == "failed" else 0


def work(folder: StageDir) -> Outcome:
    """Train, score or top up, whichever the folder's spec asks for."""
    document = load_json(folder.spec)
    if "n_answers" in document:
        return top_up(folder, TopUpSpec.model_validate(document))
    if "benchmarks" in document:
        return score(folder, ScoringSpec.model_validate(document))
    return train(folder, ResolvedStageSpec.model_validate(document))


def train(folder: StageDir, spec: ResolvedStageSpec) -> Outcome:
    """Do the steps from the last checkpoint on; stops after the step in which SIGTERM came."""
    done, weights = _last_checkpoint(folder, spec)
    drop_records_after(folder.steps, done)
    print(f"{spec.stage.name}: from step {done} to {spec.stage.steps}", flush=True)
    pause_s, (fault_step, fault) = float(os.environ.get("FAKE_STEP_S", "0")), _fault()
    for step in range(done + 1, spec.stage.steps + 1):
        _tell(folder, spec, step - 1, pause_s)
        time.sleep(pause_s)
        weights = hashlib.sha256(f"{weights} {spec.seed} {spec.stage.name} {step}".encode()).hexdigest()
        append_record(folder.steps, StepRecord(step=step, at=time.time(), metrics=metrics(spec, step)))
        if step == 1 or step % 10 == 0:
            _write_rollouts(folder, spec, step)
        print(f"step {step}", flush=True)
        if step % spec.stage.checkpoint_every == 0 or _stop_asked:
            _write_weights(folder.resume / step_name(step), weights)
            _drop_resume_before(folder, step)
        if step in spec.stage.mid_stage_steps():
            _write_weights(folder.checkpoint(step), weights)
        if step == fault_step and fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if step == fault_step:
            return Outcome(status="failed", code=fault, reason=f"the trainer met {fault} after step {step}", step=step)
        if _stop_asked:
            return Outcome(status="stopped", step=step)
    _write_weights(folder.checkpoint(spec.stage.steps), weights)
    _tell(folder, spec, spec.stage.steps, pause_s)
    return Outcome(status="done", step=spec.stage.steps)


def score(folder: StageDir, spec: ScoringSpec) -> Outcome:
    """Grade made-up answers: later checkpoints answer more problems, each domain at its own pace."""
    folder.scores.unlink(missing_ok=True)
    weights = read_weights(folder.path / spec.checkpoint_folder)
    for split in ("validation", "test"):
        for benchmark in spec.benchmarks:
            time.sleep(float(os.environ.get("FAKE_SCORE_S", "0")))
            if isinstance(benchmark, BenchmarkSpec):
                append_record(folder.scores, _answers(benchmark, split, weights, stage=folder.path.parent.parent.name))
            elif split == "test":  # a task may have no other
                stands_in = BenchmarkSpec(domain=benchmark.domain, n_problems=benchmark.limit or 16)
                append_record(folder.scores, _answers(stands_in, split, weights, stage=folder.path.parent.parent.name))
        if os.environ.get("FAKE_FAULT") == "score:bad_task":
            return Outcome(status="failed", code="bad_task", reason="the fake harness cannot ask it")
    return Outcome(status="done")


def top_up(folder: StageDir, spec: TopUpSpec) -> Outcome:
    """Grade one made-up answer more to each problem at a time."""
    weights, stage = read_weights(folder.path / spec.checkpoint_folder), folder.path.parents[3].name
    n_answers = spec.n_scored + len(keep_whole_records(folder.scores, ScoreRecord))
    fault_step, fault = _fault()
    while n_answers < spec.n_answers and not _stop_asked:
        time.sleep(float(os.environ.get("FAKE_SCORE_S", "0")))
        append_record(folder.scores, _answers(spec.benchmark, "test", weights, stage=stage, after=n_answers))
        n_answers += 1
        if n_answers == fault_step and fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if n_answers == fault_step:
            return Outcome(status="failed", code=fault, reason=f"the scorer met {fault} after answer {n_answers}")
    return Outcome(status="stopped" if n_answers < spec.n_answers else "done", step=n_answers - spec.n_scored)


def metrics(spec: ResolvedStageSpec, step: int) -> dict[str, float]:
    """Curves as training makes them: a rise that levels off, with noise that depends on the seed and the step only."""
    rng = random.Random(f"{spec.seed} {spec.stage.name} {step}")
    rise = 1 - math.exp(-4 * step / spec.stage.steps)
    found = {
        "loss": 2.2 - 1.6 * rise + rng.gauss(0, 0.05),
        "grad_norm": 0.8 + rng.gauss(0, 0.1),
        "entropy": 2.0 - 1.1 * rise + rng.gauss(0, 0.03),
        "tokens_per_s": 9000 + rng.gauss(0, 300),
    }
    if spec.stage.kind == "sft":
        return {**found, "tokens": 640.0}
    domains = list(spec.stage.domains)
    rewards = {f"reward/{name}": 0.25 + 0.5 * rise + rng.gauss(0, 0.04) for name in domains}
    found |= {"reward": sum(rewards.values()) / len(rewards), **rewards, "response_tokens": 7.5 + rng.gauss(0, 0.3)}
    if spec.stage.kind == "mopd":
        found["reverse_kl"] = 0.4 * (1 - rise) + 0.02 + abs(rng.gauss(0, 0.01))
    return found


def read_weights(checkpoint: Path) -> str:
    return (checkpoint / "model.safetensors").read_text()


def _last_checkpoint(folder: StageDir, spec: ResolvedStageSpec) -> tuple[int, str]:
    kept = sorted(folder.resume.glob("step_*"))
    if kept:
        return step_of(kept[-1]), read_weights(kept[-1])
    if spec.start_folder is not None:
        return 0, read_weights(folder.path / spec.start_folder)
    if not folder.checkpoint(0).exists():
        _write_weights(folder.checkpoint(0), f"random weights of seed {spec.seed}")
    return 0, read_weights(folder.checkpoint(0))


def _write_weights(checkpoint: Path, weights: str) -> None:
    beside = checkpoint.with_name("tmp_" + checkpoint.name)
    write_text(beside / "model.safetensors", weights)
    if checkpoint.exists():
        shutil.rmtree(checkpoint)
    beside.replace(checkpoint)


def _drop_resume_before(folder: StageDir, step: int) -> None:
    for path in folder.resume.glob("step_*"):
        if step_of(path) < step:
            shutil.rmtree(path)


def _tell(folder: StageDir, spec: ResolvedStageSpec, step: int, pause_s: float) -> None:
    left_s = pause_s * (spec.stage.steps - step) if step else None
    substep = "update" if spec.stage.kind == "sft" else "sample"
    progress = Progress(substep=substep, step=step, steps=spec.stage.steps, at=time.time(), eta_s=left_s)
    write_document(folder.progress, progress)


def _write_rollouts(folder: StageDir, spec: ResolvedStageSpec, step: int) -> None:
    if not isinstance(spec.stage, GRPOSpec | MOPDSpec):
        return
    size, lines = spec.stage.rollouts_per_prompt, []
    for group, domain in enumerate(list(spec.stage.domains)[:2]):
        for member in range(size):
            is_right = (member + step) % 3 != 0
            record = RolloutRecord(
                step=step,
                group=group,
                domain=domain,
                prompt=f"<task {domain}> 7 4 + ?",
                response="1 1" if is_right else f"1 {member} <b>0</b>",
                reward=float(is_right),
                credit=0.7 if is_right else -1.1,
                n_tokens=3,
                is_truncated=member == size - 1,
                parts={"format": 1.0, "why": "matches" if is_right else "expected 1 1"},
            )
            lines.append(record.model_dump_json())
    write_text(folder.rollouts / f"{step_name(step)}.jsonl", "\n".join(lines) + "\n")


def _answers(benchmark: BenchmarkSpec, split: str, weights: str, *, stage: str, after: int = 0) -> ScoreRecord:
    """One answer to each problem; which problems it gets right depends on the weights and on how many came before."""
    domain, share = benchmark.domain, min(0.9, 0.2 + 0.1 * len(stage))
    n = benchmark.n_validation if split == "validation" else benchmark.n_problems
    rng = random.Random(f"{weights} {domain} {split}" + (f" {after}" if after else ""))
    items = [_item(domain, split, item, rng.random() < share) for item in range(n)]
    mean = sum(item.value for item in items) / n
    record = {"domain": domain, "split": split, "version": 1, "protocol": {"temperature": 1.0}}
    return ScoreRecord.model_validate({**record, "after": after, "mean": mean, "items": items})


def _item(domain: str, split: str, item: int, is_right: bool) -> ItemRecord:
    answer = "1 1" if is_right else "0"
    return ItemRecord(
        item=item,
        key=f"{domain}-{split}-{item}",
        prompt=f"<task {domain}> {item} ?",
        value=float(is_right),
        grades=[float(is_right)],
        response=answer,
        n_tokens=3,
    )


def _fault() -> tuple[int, str]:
    step, _, code = os.environ.get("FAKE_FAULT", "").partition(":")
    return (int(step), code) if code and step.isdecimal() else (-1, "")


def _ask_to_stop(number: int, frame: FrameType | None) -> None:
    global _stop_asked
    _stop_asked = True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

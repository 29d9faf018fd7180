"""What the estimate takes for granted about the trainer, and its peak memory beside that of real stages.

A stage's peak is its process's own high-water mark. What the system counts for an ended child (ru_maxrss) starts from its
parent's, which is larger here.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from workers import estimate
from workers.estimate import estimate_stage
from workers.load import Range
from workers.model_shape import TINY_VOCABULARIES, shape_of
from workers.spec import GRPOSpec, LoRASpec, MOPDSpec, ResolvedStageSpec, SFTSpec, TinyModelSpec
from workers.stage_dir import Outcome, StageDir, read_document, write_document
from workers.training import update
from workers.training.checkpoints import save_checkpoint
from workers.training.policy import build_policy
from workers.training.tiny_model import build_model, build_tokenizer

TWO_STEPS = {"steps": 2, "learning_rate": 1e-3, "warmup_steps": 0}
PROGRAM = """
import sys
from workers.training.__main__ import _import_trainer
from workers.training.process import run_in_folder
status = run_in_folder(sys.argv, _import_trainer)
print(open("/proc/self/status").read())
sys.exit(status)
"""


def test_constants_are_the_trainers():
    assert update.LOGITS_AT_ONCE == estimate.LOGITS_AT_ONCE


@pytest.mark.parametrize(
    "more", [{}, {"layers": 1}, {"vocabulary": "text"}, {"hidden_size": 32, "heads": 2, "head_size": 8, "mlp_size": 48}]
)
def test_parameters_are_the_models(more):
    spec = TinyModelSpec(**more)
    tokenizer = build_tokenizer(spec.vocabulary)
    assert len(tokenizer) == TINY_VOCABULARIES[spec.vocabulary]
    assert build_model(spec, tokenizer, 0).num_parameters() == shape_of(spec, Path()).parameters


def rollouts(*, prompts: int, size: int, tokens: int, **more) -> dict:
    return {
        "name": "s", "domains": {"stem": 1, "tools": 1}, "prompts_per_step": prompts, "rollouts_per_prompt": size,
        "max_response_tokens": tokens, **TWO_STEPS, **more,
    }  # fmt: skip


NARROW = TinyModelSpec()
WIDE = TinyModelSpec(hidden_size=1024, layers=2, heads=8, head_size=64, mlp_size=3072)
DEEP = TinyModelSpec(hidden_size=128, layers=12, heads=4, head_size=32, mlp_size=512, max_positions=256)
LONG = rollouts(prompts=4, size=4, tokens=128, dynamic_filtering="off", overlong="keep", kl_coefficient=0.1)
STAGES = {
    "sft, narrow": (NARROW, SFTSpec(name="s", domains={"stem": 1, "coding": 1}, batch_size=64, **TWO_STEPS), 0),
    "sft, wide": (WIDE, SFTSpec(name="s", domains={"stem": 1}, batch_size=16, **TWO_STEPS), 0),
    "grpo, wide, with a reference": (
        WIDE,
        GRPOSpec(**rollouts(prompts=2, size=4, tokens=8, dynamic_filtering="off", overlong="keep", kl_coefficient=0.1)),
        1,
    ),
    "grpo, deep, large groups": (
        DEEP,
        GRPOSpec(**rollouts(prompts=4, size=32, tokens=16, dynamic_filtering="off", overlong="keep", kl_coefficient=0.1)),
        1,
    ),
    "grpo, deep, long responses": (
        DEEP,
        GRPOSpec(**LONG),
        1,
    ),
    "sft, wide, bfloat16": (
        WIDE,
        SFTSpec(name="s", domains={"stem": 1}, batch_size=16, precision="bfloat16", **TWO_STEPS),
        0,
    ),
    "sft, wide, adapters": (
        WIDE,
        SFTSpec(name="s", domains={"stem": 1}, batch_size=16, lora=LoRASpec(rank=8), **TWO_STEPS),
        0,
    ),
    "grpo, deep, long responses, adapters": (DEEP, GRPOSpec(**LONG, lora=LoRASpec(rank=8)), 0),
    "grpo, deep, long responses, recomputed": (DEEP, GRPOSpec(**LONG, gradient_checkpointing=True), 1),
    "grpo, deep, long responses, bfloat16": (DEEP, GRPOSpec(**LONG, precision="bfloat16"), 1),
    "grpo, deep, long responses, 512 tokens at once": (DEEP, GRPOSpec(**LONG, micro_batch_tokens=512), 1),
    "mopd, wide, two teachers": (WIDE, MOPDSpec(**rollouts(prompts=4, size=2, tokens=8)), 2),
}  # fmt: skip


@pytest.mark.training
@pytest.mark.parametrize("case", STAGES)
def test_peak_memory_is_as_predicted(case: str, tmp_path: Path):
    model, stage, n_teachers = STAGES[case]
    found = estimate_stage(stage, shape_of(model, Path()), n_teachers=Range(n_teachers, n_teachers, n_teachers)).memory
    measured = measure(tmp_path, model, stage)
    in_mib = [round(size / 2**20) for size in (measured, found.low, found.expected, found.high)]
    print("{}: measured {} MiB, predicted {} to {} to {}".format(case, *in_mib))
    assert found.low <= measured <= found.high
    assert found.expected == pytest.approx(measured, rel=0.35)


def measure(folder: Path, model: TinyModelSpec, stage: SFTSpec | GRPOSpec | MOPDSpec) -> int:
    """Carry out a stage in a process of its own; returns its peak memory in bytes."""
    stage_dir, start = StageDir(folder / "s"), None
    for name in [] if stage.kind == "sft" else ["first", "second"]:
        start = str(folder / name)
        save_checkpoint(Path(start), build_policy(model, seed=1))
    teachers = {"stem": str(folder / "first"), "tools": str(folder / "second")} if stage.kind == "mopd" else {}
    spec = ResolvedStageSpec(run="r", seed=3, model=model, stage=stage, start_folder=start, teacher_folders=teachers)
    write_document(stage_dir.spec, spec)
    child = subprocess.run([sys.executable, "-c", PROGRAM, stage_dir.path], capture_output=True, text=True)
    assert read_document(stage_dir.outcome, Outcome) == Outcome(status="done", step=2), child.stdout + child.stderr
    peak = re.search(r"VmHWM:\s+(\d+) kB", child.stdout)
    assert peak
    return int(peak[1]) * 1024

"""Whole stages that sample with vLLM through the real trainer."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from workers.spec import GRPOSpec, LoRASpec, MOPDSpec, ResolvedStageSpec, TinyModelSpec
from workers.stage_dir import Outcome, StageDir, StepRecord, read_document, read_records, write_document

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.training,
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vLLM: run make test-vllm"),
]

TINY = TinyModelSpec(hidden_size=32, layers=2, heads=2, head_size=32, mlp_size=64)
GRPO = GRPOSpec(
    name="rl", domains={"stem": 1, "tools": 1}, steps=4, prompts_per_step=4, rollouts_per_prompt=4, learning_rate=0.003,
    warmup_steps=0, dynamic_filtering="off", entropy_coefficient=0.01, max_response_tokens=8, overlong="keep",
    temperature=0.9, top_p=0.95, engine="vllm", checkpoint_every=2,
)  # fmt: skip
MOPD = MOPDSpec(
    name="mopd", domains={"stem": 1, "tools": 1}, steps=4, prompts_per_step=4, rollouts_per_prompt=2,
    learning_rate=0.003, warmup_steps=0, max_response_tokens=8, engine="vllm",
)  # fmt: skip


def carry_out(folder: Path, stage, **more) -> StageDir:
    """Run the trainer as a process, as a worker does."""
    stage_dir = StageDir(folder)
    spec = ResolvedStageSpec(run="r", seed=3, model=TINY, stage=stage, **({"start_folder": None} | more))
    write_document(stage_dir.spec, spec)
    command = [sys.executable, "-m", "workers.training", str(folder)]
    log = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    assert read_document(stage_dir.outcome, Outcome) == Outcome(status="done", step=4), log
    assert "weights were not loaded" not in log
    return stage_dir


def metrics(stage_dir: StageDir) -> list[dict[str, float]]:
    return [record.metrics for record in read_records(stage_dir.steps, StepRecord)[0]]


def check_ratios(stage_dir: StageDir, *, limit: float = 1e-4) -> None:
    """Sampler and trainer agree on each token, also after the weights have changed."""
    found = metrics(stage_dir)
    largest = max(abs(metrics[name] - 1) for metrics in found for name in ("ratio_max", "ratio_mean"))
    print(f"{stage_dir.path.name}: largest ratio of trainer to sampler 1 + {largest:.1e}")
    assert len(found) == 4
    assert largest < limit
    assert all(metrics["grad_norm"] > 0 for metrics in found)


def test_grpo_then_mopd(tmp_path):
    rl = carry_out(tmp_path / "rl", GRPO)
    check_ratios(rl)
    base, trained = "../rl/checkpoints/step_000000", "../rl/checkpoints/step_000004"
    mopd = carry_out(
        tmp_path / "mopd", MOPD, start_folder=base, teacher_folders={"stem": trained, "tools": trained}
    )  # fmt: skip
    check_ratios(mopd)


def test_adapters_are_sampled_from(tmp_path):
    check_ratios(carry_out(tmp_path / "rl", GRPO.model_copy(update={"lora": LoRASpec(rank=4)})))


def test_bfloat16_is_sampled_from(tmp_path):
    saving = {"precision": "bfloat16", "lora": LoRASpec(rank=4), "gradient_checkpointing": True}
    for name, settings in (("whole", {"precision": "bfloat16"}), ("adapted", saving)):
        check_ratios(carry_out(tmp_path / name, GRPO.model_copy(update=settings)), limit=0.1)


def test_two_processes_have_an_engine_each_and_sample_what_one_does(tmp_path):
    one, two = (carry_out(tmp_path / str(n), GRPO.model_copy(update={"processes": n})) for n in (1, 2))
    check_ratios(two)
    for single, several in zip(metrics(one), metrics(two), strict=True):
        for name in ("loss", "reward", "response_tokens", "grad_norm"):
            assert several[name] == pytest.approx(single[name], abs=1e-4)

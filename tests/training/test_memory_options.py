"""Stages that save memory leave ordinary checkpoints: each starts the next, teaches it, and is told apart by its card."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.test_train_stage import GRPO, MOPD, SFT, metrics, prepare, run
from workers.spec import LoRASpec
from workers.stage_dir import Outcome, StageDir

pytestmark = pytest.mark.training
SAVING = {"precision": "bfloat16", "gradient_checkpointing": True, "micro_batch_tokens": 64}


def dtypes(stage_dir: StageDir, step: int) -> set[torch.dtype]:
    return {weight.dtype for weight in load_file(stage_dir.checkpoint(step) / "model.safetensors").values()}


@pytest.fixture(scope="module")
def sft(tmp_path_factory: pytest.TempPathFactory) -> StageDir:
    stage_dir = prepare(tmp_path_factory.mktemp("run") / "sft", SFT.model_copy(update=SAVING))
    assert run(stage_dir) == Outcome(status="done", step=12)
    return stage_dir


def test_bfloat16_learns_too_and_is_stored_as_such(sft: StageDir) -> None:
    found = metrics(sft)
    assert found[-1]["loss"] < 0.9 * found[0]["loss"]
    assert (dtypes(sft, 0), dtypes(sft, 12)) == ({torch.float32}, {torch.bfloat16})
    assert "computed in bfloat16" in (sft.checkpoint(12) / "README.md").read_text()


def test_a_cascade_of_different_precisions_and_adapters(sft: StageDir, tmp_path: Path) -> None:
    start = str(sft.checkpoint(12))
    rl = prepare(tmp_path / "rl", GRPO.model_copy(update={"lora": LoRASpec(rank=4)} | SAVING), start_folder=start)
    assert run(rl) == Outcome(status="done", step=11)
    assert metrics(rl)[0]["kl"] == 0  # the reference is the model without adapters
    assert metrics(rl)[-1]["kl"] > 0
    assert all(abs(found["ratio_mean"] - 1) < 0.01 for found in metrics(rl))
    before, after = (load_file(folder / "model.safetensors") for folder in (sft.checkpoint(12), rl.checkpoint(11)))
    assert before.keys() == after.keys()
    moved = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert moved
    assert all("_proj" in name for name in moved)
    assert "LoRA, rank 4, alpha 32" in (rl.checkpoint(11) / "README.md").read_text()
    assert "architectures" in json.loads((rl.checkpoint(11) / "config.json").read_text())

    folders = {"tools": start, "stem": str(rl.checkpoint(11))}
    mopd = prepare(tmp_path / "mopd", MOPD, start_folder=str(rl.checkpoint(11)), teacher_folders=folders)
    assert run(mopd) == Outcome(status="done", step=6)
    assert metrics(mopd)[0]["reverse_kl/stem"] == pytest.approx(0, abs=1e-6)
    assert metrics(mopd)[0]["reverse_kl/tools"] > 0
    assert dtypes(mopd, 6) == {torch.float32}


@pytest.mark.skipif(torch.cuda.is_available(), reason="Liger's kernels may run here")
def test_kernels_that_cannot_run_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    stage_dir = prepare(tmp_path / "sft", SFT.model_copy(update={"liger": True}))
    outcome = run(stage_dir)
    assert outcome.code == "bad_spec"
    assert outcome.reason.startswith(
        "found no liger-kernel on this machine, expected both liger-kernel and an NVIDIA GPU"
    )
    assert "set liger to false, or install requirements-liger.txt" in outcome.reason
    assert not stage_dir.checkpoint(0).exists()

"""What fails in a stage ends in an outcome with a stable code and a sentence that says what to do."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from workers.spec import ResolvedStageSpec, SFTSpec, TinyModelSpec
from workers.stage_dir import FolderBusyError, Outcome, StageDir, read_document, write_document
from workers.training import memory, process
from workers.training.failures import outcome_of
from workers.training.process import carry_out
from workers.training.sft import SFT
from workers.training.trainer import train

TINY = TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16)
STAGE = SFTSpec(name="sft", domains={"stem": 1}, steps=3, batch_size=4, learning_rate=0.01, checkpoint_every=1)


class NeverStop:
    def is_set(self) -> bool:
        return False


@pytest.fixture
def stage_dir(tmp_path) -> StageDir:
    return write_spec(tmp_path)


def write_spec(folder: Path, **changes) -> StageDir:
    fields = {"run": "r", "seed": 0, "model": TINY, "stage": STAGE, "start_folder": None} | changes
    write_document(StageDir(folder).spec, ResolvedStageSpec(**fields))
    return StageDir(folder)


def failure(stage_dir: StageDir) -> Outcome:
    outcome = carry_out(stage_dir, NeverStop(), lambda: train)
    assert outcome.status == "failed"
    return outcome


def done(stage_dir: StageDir) -> bool:
    return carry_out(stage_dir, NeverStop(), lambda: train).status == "done"


def test_a_loss_that_is_no_number(stage_dir, monkeypatch):
    credit = SFT.credit

    def poisoned(self, rollouts):
        for rollout in credit(self, rollouts):
            rollout.advantage = float("nan")
        return rollouts

    monkeypatch.setattr(SFT, "credit", poisoned)
    outcome = failure(stage_dir)
    assert outcome.code == "not_finite"
    assert "nan" in outcome.reason
    assert "at step 1" in outcome.reason
    assert "Lower learning_rate" in outcome.reason
    monkeypatch.undo()
    assert done(stage_dir)


def test_a_full_disk(stage_dir):
    # every write to /dev/full fails as on a full disk
    full = stage_dir.rollouts / "step_000001.jsonl.tmp"
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    outcome = failure(stage_dir)
    assert outcome.code == "disk_full"
    assert "No space left on device" in outcome.reason
    assert "free some space" in outcome.reason
    full.unlink()
    assert done(stage_dir)


def test_weights_that_were_damaged_on_disk(tmp_path):
    first = write_spec(tmp_path / "first")
    assert done(first)
    weights = first.checkpoint(3) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    outcome = failure(write_spec(tmp_path / "second", start_folder="../first/checkpoints/step_000003"))
    assert outcome.code == "corrupt_checkpoint"
    assert "model.safetensors is not what was written" in outcome.reason


def test_weights_of_others_that_are_cut_short(tmp_path):
    first = write_spec(tmp_path / "first")
    assert done(first)
    folder = first.checkpoint(3)
    (folder / "checksums.json").unlink()  # others keep none
    os.truncate(folder / "model.safetensors", 1000)
    outcome = failure(write_spec(tmp_path / "second", start_folder="../first/checkpoints/step_000003"))
    assert outcome.code == "corrupt_checkpoint"
    assert "weights cannot be read" in outcome.reason


def test_memory_that_runs_out(stage_dir):
    large = TINY.model_copy(update={"hidden_size": 1024, "mlp_size": 4096, "layers": 24})  # 1.2 GB of weights
    write_spec(stage_dir.path, model=large)
    finished = subprocess.run(
        [sys.executable, "-m", "workers.training", stage_dir.path],
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30)),
        check=False,
    )
    outcome = read_document(stage_dir.outcome, Outcome)
    assert finished.returncode == 1
    assert outcome.code == "out_of_memory"
    assert "lower prompts_per_step" in outcome.reason


def test_a_spec_that_is_not_valid(stage_dir):
    stage_dir.spec.write_text(stage_dir.spec.read_text().replace('"steps": 3', '"steps": -3'))
    outcome = failure(stage_dir)
    assert outcome.code == "bad_spec"
    assert outcome.reason.startswith("spec.json is not valid: stage.sft.steps: ")


def test_a_start_that_is_not_there(tmp_path):
    outcome = failure(write_spec(tmp_path, start_folder="../nowhere"))
    assert outcome.code == "bad_spec"
    assert "found no folder" in outcome.reason


def test_what_nobody_foresaw(stage_dir, monkeypatch, capsys):
    monkeypatch.setattr(SFT, "sample", lambda self, step: 1 / 0)
    outcome = failure(stage_dir)
    assert (outcome.code, outcome.reason) == ("error", "ZeroDivisionError: division by zero")
    assert "Traceback" in capsys.readouterr().err


def test_a_folder_that_another_process_writes_in(stage_dir, monkeypatch, capsys):
    monkeypatch.setattr(process, "LOCK_PATIENCE_S", 0.2)
    monkeypatch.setattr(process, "StopRequest", NeverStop)
    with stage_dir.lock():
        assert process.run_in_folder(["trainer", str(stage_dir.path)], lambda: train) == 1
    assert "another process is writing in" in capsys.readouterr().err
    assert not stage_dir.outcome.exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
            "out_of_memory",
        ),
        (MemoryError(), "out_of_memory"),
        (OSError(errno.EROFS, "Read-only file system"), "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "error"),
        (RuntimeError("shapes do not match"), "error"),
        (FolderBusyError("busy"), "error"),
    ],
)
def test_codes(error, code):
    assert outcome_of(error, step=4).code == code
    assert outcome_of(error, step=4).step == 4


def test_a_stage_that_has_no_room_is_refused_before_it_loads(stage_dir, monkeypatch):
    monkeypatch.setattr(memory, "memory_bytes", lambda: 2**28)
    outcome = failure(stage_dir)
    assert outcome.code == "too_large"
    assert "stage 'sft' needs at least 0.3 GiB of memory" in outcome.reason
    assert "use a machine with more memory" in outcome.reason
    assert not stage_dir.checkpoint(0).exists()
    monkeypatch.undo()
    assert done(stage_dir)


def test_room_is_asked_for_by_the_shape_of_the_start(tmp_path, monkeypatch):
    first = write_spec(tmp_path / "first")
    assert done(first)
    config = first.checkpoint(3) / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 1', '"num_hidden_layers": 90000000'))
    second = write_spec(tmp_path / "second", start_folder="../first/checkpoints/step_000003")
    assert failure(second).code == "too_large"

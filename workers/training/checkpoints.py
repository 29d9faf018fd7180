"""Checkpoints: weights for others, and everything this stage needs to go on bit for bit.

Both are folders of safetensors and JSON (nothing that runs code when read), written beside and renamed into place, with
the checksum of every file. Randomness needs no saving: each step seeds its own generators (see seeds.py).

A damaged resume folder is moved aside before the stage fails, so that a retry starts the stage over: only the last one
is kept, and replayed steps give the same weights.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from workers.spec import GRPOSpec, MOPDSpec, SFTSpec
from workers.stage_dir import MODEL_CARD, StageDir, step_name, step_of
from workers.training.bad_spec import BadSpecError
from workers.training.distributed import by_first, full, is_first, like, whole
from workers.training.failures import CorruptCheckpointError
from workers.training.lora import merged_weights
from workers.training.models.weights import refuse_adapters
from workers.training.optim import Optimizers
from workers.training.policy import Policy, load_policy

CHECKSUMS = "checksums.json"


def save_checkpoint(folder: Path, policy: Policy, *, card: str = "") -> None:
    """Write weights, tokenizer and model card in Hugging Face layout, for whoever starts from them or learns from them."""
    with whole(policy) as together:
        if not is_first():
            return
        with written_beside(folder) as beside:
            together.model.save_pretrained(beside, state_dict=dict(merged_weights(together.model)))
            policy.tokenizer.save_pretrained(beside)
            if card:
                (beside / MODEL_CARD).write_text(card)


def keep_checkpoint(
    stage_dir: StageDir, step: int, policy: Policy, *, stage: SFTSpec | GRPOSpec | MOPDSpec, card: str
) -> None:
    """Write the model as it is in the middle of a stage, and drop what was kept before but for the last `keep_last`.

    What is to be scored stays, and so does the untrained base model, step 0.
    """
    folder = stage_dir.checkpoint(step)
    save_checkpoint(folder, policy, card=card)
    if not is_first():
        return
    kept = [path for path in folder.parent.glob("step_" + "[0-9]" * 6) if 0 < step_of(path) <= step]
    for older in sorted(kept)[: max(0, len(kept) - stage.keep_last)]:
        if step_of(older) not in stage.mid_stage_steps():
            shutil.rmtree(older)


def load_checkpoint(folder: Path, dtype: torch.dtype = torch.float32) -> Policy:
    """Read a checkpoint or any model folder, whatever dtype it is in; raises CorruptCheckpointError if it is not what was written."""
    folder = folder.resolve()
    if not folder.is_dir():
        raise BadSpecError(
            f"found no folder {folder}, expected a checkpoint there; run the stage that leaves it, or correct the name"
        )
    check_folder(folder)
    return load_policy(folder, dtype)


def save_resume(stage_dir: StageDir, step: int, optimizers: Optimizers) -> None:
    """Write all that resuming after `step` needs, then drop what came before."""
    weights, state = _plain(optimizers.weights), _plain(optimizers.state_tensors())
    if not is_first():
        return
    target = stage_dir.resume / step_name(step)
    with written_beside(target) as beside:
        save_file(weights, beside / "weights.safetensors")
        save_file(state, beside / "optimizers.safetensors")
    for older in stage_dir.resume.iterdir():
        if older != target:
            shutil.rmtree(older)


def load_resume(stage_dir: StageDir, optimizers: Optimizers) -> int:
    """Go back to the last resume folder and return its step, 0 where there is none; the model gets its weights too.

    Raises CorruptCheckpointError if it is damaged, after moving it aside.
    """
    last = by_first(lambda: _last_resume(stage_dir))
    if last is None:
        return 0
    for name, value in load_file(last / "weights.safetensors").items():
        optimizers.weights[name].data.copy_(like(optimizers.weights[name], value))
    optimizers.hand_over()
    optimizers.load_state_tensors(load_file(last / "optimizers.safetensors"))
    return step_of(last)


def _last_resume(stage_dir: StageDir) -> Path | None:
    """Find the last resume folder and check it; a damaged one is moved aside."""
    found = sorted(stage_dir.resume.glob("step_" + "[0-9]" * 6))
    if not found:
        return None
    last = found[-1]
    try:
        check_folder(last)
    except CorruptCheckpointError as error:
        aside = last.rename(last.with_name(f"damaged_{last.name}"))
        raise CorruptCheckpointError(
            f"{error}; it was moved to {aside.name}, retry to start this stage over"
        ) from error
    return last


def check_folder(folder: Path) -> None:
    """Compare every file with its checksum; raises CorruptCheckpointError. A folder of others, without any, passes.

    Raises BadSpecError for adapters beside the weights.
    """
    refuse_adapters(folder)
    manifest = folder / CHECKSUMS
    if not manifest.exists():
        return
    for name, expected in _read_checksums(manifest).items():
        path = folder / name
        if not path.exists():
            raise CorruptCheckpointError(f"checkpoint {folder} is damaged: it lacks {name}")
        if _checksum(path) != expected:
            raise CorruptCheckpointError(f"checkpoint {folder} is damaged: {name} is not what was written")


def _read_checksums(manifest: Path) -> dict[str, str]:
    try:
        checksums: dict[str, str] = json.loads(manifest.read_text())
    except ValueError as error:
        raise CorruptCheckpointError(f"checkpoint {manifest.parent} is damaged: {CHECKSUMS} is unreadable") from error
    return checksums


@contextmanager
def written_beside(folder: Path) -> Iterator[Path]:
    """Give a folder to write in; when all is durable and has its checksums, it takes the place of `folder`."""
    beside = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    yield beside
    files = sorted(path for path in beside.rglob("*") if path.is_file())
    checksums = {str(path.relative_to(beside)): _checksum(path) for path in files if path.name != MODEL_CARD}
    (beside / CHECKSUMS).write_text(json.dumps(checksums, indent=1))
    for path in (*files, beside / CHECKSUMS, beside):
        _sync(path)
    shutil.rmtree(folder, ignore_errors=True)  # left by an attempt that died before it could say it was done
    beside.rename(folder)
    _sync(folder.parent)


def _checksum(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Make a file or a folder's entries survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Detach, bring together what is split, and copy to the CPU's contiguous layout, which safetensors asks for.

    Only the first process, which writes, keeps any.
    """
    together = ((name, full(tensor.detach())) for name, tensor in tensors.items())  # one after the other
    return {name: tensor.cpu().contiguous() for name, tensor in together if is_first()}

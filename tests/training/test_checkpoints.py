"""Checkpoints: complete or not there, checked when read, and enough to go on."""

import json

import pytest
import torch

from workers.spec import GRPOSpec, TinyModelSpec
from workers.stage_dir import StageDir
from workers.training.bad_spec import BadSpecError
from workers.training.checkpoints import check_folder, load_checkpoint, load_resume, save_checkpoint, save_resume
from workers.training.failures import CorruptCheckpointError
from workers.training.optim import Optimizers
from workers.training.policy import Policy, build_policy

TINY = TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16)
STAGE = GRPOSpec(name="s", domains={"stem": 1}, steps=5, learning_rate=0.01)


@pytest.fixture
def policy() -> Policy:
    return build_policy(TINY, seed=1)


def weights(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in policy.model.state_dict().items()}


def same(first, second) -> bool:
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_a_checkpoint_is_a_model_folder_like_any_other(policy, tmp_path):
    save_checkpoint(tmp_path / "step_000001", policy)
    names = {path.name for path in (tmp_path / "step_000001").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "checksums.json"} <= names
    again = load_checkpoint(tmp_path / "step_000001")
    assert same(weights(policy), weights(again))
    text = [{"role": "user", "content": "max?A1B2C3D4"}]
    assert again.tokenizer.apply_chat_template(text) == policy.tokenizer.apply_chat_template(text)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000001"]


def test_writing_again_replaces_what_was_there(policy, tmp_path):
    save_checkpoint(tmp_path / "c", build_policy(TINY, seed=9))
    save_checkpoint(tmp_path / "c", policy)
    assert same(weights(policy), weights(load_checkpoint(tmp_path / "c")))


@pytest.mark.parametrize("damage", ["change", "remove", "manifest"])
def test_damage_is_noticed(policy, tmp_path, damage):
    save_checkpoint(tmp_path / "c", policy)
    if damage == "change":
        (tmp_path / "c" / "config.json").write_text("{}")
    elif damage == "remove":
        (tmp_path / "c" / "model.safetensors").unlink()
    else:
        (tmp_path / "c" / "checksums.json").write_text('{"model.safet')
    with pytest.raises(CorruptCheckpointError, match="is damaged"):
        load_checkpoint(tmp_path / "c")


def test_a_folder_of_others_keeps_no_checksums_and_passes(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    check_folder(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(BadSpecError, match="run the stage that leaves it"):
        load_checkpoint(tmp_path / "nowhere")


def test_without_a_resume_folder_a_stage_begins(policy, tmp_path):
    assert load_resume(StageDir(tmp_path), Optimizers(policy.model, STAGE)) == 0


def test_only_the_last_resume_folder_is_kept_and_read(policy, tmp_path):
    optimizers = Optimizers(policy.model, STAGE)
    for step in (1, 2):
        for parameter in policy.model.parameters():
            parameter.grad = torch.full_like(parameter, 0.1)
        optimizers.step(step)
        save_resume(StageDir(tmp_path), step, optimizers)
    assert [path.name for path in (tmp_path / "resume").iterdir()] == ["step_000002"]

    other = build_policy(TINY, seed=2)
    restored = Optimizers(other.model, STAGE)
    assert load_resume(StageDir(tmp_path), restored) == 2
    assert same(weights(policy), weights(other))
    assert same(optimizers.state_tensors(), restored.state_tensors())


def test_a_folder_that_was_not_finished_does_not_count(policy, tmp_path):
    optimizers = Optimizers(policy.model, STAGE)
    save_resume(StageDir(tmp_path), 3, optimizers)
    (tmp_path / "resume" / "step_000004.tmp").mkdir()
    assert load_resume(StageDir(tmp_path), optimizers) == 3


def test_a_damaged_resume_folder_is_moved_aside(policy, tmp_path):
    optimizers = Optimizers(policy.model, STAGE)
    save_resume(StageDir(tmp_path), 3, optimizers)
    checksums = tmp_path / "resume" / "step_000003" / "checksums.json"
    checksums.write_text(json.dumps(dict.fromkeys(json.loads(checksums.read_text()), "0")))
    with pytest.raises(CorruptCheckpointError, match=r"moved to damaged_step_000003, retry to start this stage over"):
        load_resume(StageDir(tmp_path), optimizers)
    assert load_resume(StageDir(tmp_path), optimizers) == 0

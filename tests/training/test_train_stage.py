"""The trainer as a process in a stage's folder: a whole small cascade, and what happens when it is disturbed."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workers.spec import GRPOSpec, MOPDSpec, ResolvedStageSpec, RewardModelSpec, SFTSpec, TinyModelSpec
from workers.stage_dir import Outcome, StageDir, StepRecord, read_document, read_records, write_document
from workers.training.process import carry_out
from workers.training.trainer import train

TINY = TinyModelSpec(hidden_size=32, layers=2, heads=2, head_size=16, mlp_size=64)
SFT = SFTSpec(
    name="sft", domains={"tools": 1, "stem": 1}, steps=12, batch_size=8, learning_rate=0.02, optimizer="muon",
    adamw_learning_rate=0.004, checkpoint_every=5, style_noise=0.5,
)  # fmt: skip
GRPO = GRPOSpec(
    name="rl", domains={"stem": 1, "preference": 1}, steps=11, prompts_per_step=4, rollouts_per_prompt=4,
    learning_rate=0.001, checkpoint_every=4, dynamic_filtering="off", kl_coefficient=0.1, max_response_tokens=8,
    overlong="keep", reward_model=RewardModelSpec(steps=5, pairs_per_step=4, hidden_size=16, layers=1),
)  # fmt: skip
MOPD = MOPDSpec(
    name="mopd", domains={"tools": 1, "stem": 1}, steps=6, prompts_per_step=4, rollouts_per_prompt=2,
    learning_rate=0.001, checkpoint_every=2, max_response_tokens=8,
)  # fmt: skip

pytestmark = pytest.mark.training


def prepare(folder: Path, stage, **more) -> StageDir:
    stage_dir = StageDir(folder)
    spec = ResolvedStageSpec(run="r", seed=3, model=TINY, stage=stage, **({"start_folder": None} | more))
    write_document(stage_dir.spec, spec)
    return stage_dir


def launch(stage_dir: StageDir) -> subprocess.Popen[bytes]:
    with open(stage_dir.log, "ab") as log:
        return subprocess.Popen([sys.executable, "-m", "workers.training", stage_dir.path], stdout=log, stderr=log)


class NeverStop:
    def is_set(self) -> bool:
        return False


def run(stage_dir: StageDir) -> Outcome:
    """Carry a stage out in this process, which saves the seconds that importing torch takes."""
    outcome = carry_out(stage_dir, NeverStop(), lambda: train)
    assert read_document(stage_dir.outcome, Outcome) == outcome
    return outcome


def weights(stage_dir: StageDir, step: int) -> bytes:
    return (stage_dir.checkpoint(step) / "model.safetensors").read_bytes()


def metrics(stage_dir: StageDir) -> list[dict[str, float]]:
    return [record.metrics for record in read_records(stage_dir.steps, StepRecord)[0]]


def wait_for_step(stage_dir: StageDir, step: int, process: subprocess.Popen[bytes]) -> None:
    while len(read_records(stage_dir.steps, StepRecord)[0]) < step:
        assert process.poll() is None, stage_dir.log.read_text()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def sft(tmp_path_factory) -> StageDir:
    stage_dir = prepare(tmp_path_factory.mktemp("run") / "sft", SFT)
    assert run(stage_dir) == Outcome(status="done", step=12)
    return stage_dir


def start_of(sft: StageDir) -> str:
    return str(sft.checkpoint(12))


def test_sft_builds_the_base_trains_it_and_leaves_both(sft):
    assert weights(sft, 0) != weights(sft, 12)
    found = metrics(sft)
    assert len(found) == 12
    assert found[-1]["loss"] < 0.9 * found[0]["loss"]
    assert {"loss", "tokens", "grad_norm", "learning_rate", "tokens_per_s", "step_s"} <= set(found[0])
    rollouts = (sft.rollouts / "step_000010.jsonl").read_text().splitlines()
    assert len(rollouts) == 2
    assert json.loads(rollouts[0])["credit"] == 1.0


def test_the_same_seed_gives_the_same_weights(sft, tmp_path):
    again = prepare(tmp_path / "sft", SFT)
    run(again)
    assert weights(again, 12) == weights(sft, 12)


def test_the_last_checkpoints_stay_and_change_nothing(sft, tmp_path):
    keeping = prepare(tmp_path / "sft", SFT.model_copy(update={"keep_last": 1, "checkpoint_every": 4}))
    run(keeping)
    assert sorted(path.name for path in (keeping.path / "checkpoints").iterdir()) == [
        "step_000000", "step_000008", "step_000012"
    ]  # fmt: skip
    assert weights(keeping, 12) == weights(sft, 12)
    assert weights(keeping, 8) != weights(sft, 12)
    assert "for 8 of 12 steps" in (keeping.checkpoint(8) / "README.md").read_text()
    continued = prepare(tmp_path / "more", SFT, start_folder=str(keeping.checkpoint(8)))
    assert run(continued).status == "done"


def test_what_is_to_be_scored_of_the_middle_stays_and_changes_nothing(sft, tmp_path):
    scored = SFT.model_copy(update={"keep_last": 1, "checkpoint_every": 2, "score_every": 4})
    keeping = prepare(tmp_path / "sft", scored)
    run(keeping)
    assert sorted(path.name for path in (keeping.path / "checkpoints").iterdir()) == [
        "step_000000", "step_000004", "step_000008", "step_000010", "step_000012"
    ]  # fmt: skip
    assert weights(keeping, 12) == weights(sft, 12)


def test_grpo_then_mopd(sft, tmp_path):
    rl = prepare(tmp_path / "rl", GRPO, start_folder=start_of(sft))
    assert run(rl) == Outcome(status="done", step=11)
    last = metrics(rl)[-1]
    wanted = {
        "reward",
        "reward/stem",
        "reward/preference",
        "true_reward",
        "response_tokens",
        "truncated",
        "entropy",
        "kl",
    }
    assert wanted | {"used_groups", "ratio_min", "ratio_max", "ratio_mean"} <= set(last)
    assert last["ratio_max"] == pytest.approx(1, abs=1e-4)
    assert metrics(rl)[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert last["kl"] > 0

    teachers = {"tools": "../sft/checkpoints/step_000012", "stem": "../rl/checkpoints/step_000011"}
    shutil.copytree(sft.path, tmp_path / "sft")
    mopd = prepare(tmp_path / "mopd", MOPD, start_folder="../rl/checkpoints/step_000011", teacher_folders=teachers)
    assert run(mopd) == Outcome(status="done", step=6)
    first = metrics(mopd)[0]
    assert {"reverse_kl", "teacher_gap", "masked", "ratio_max", "reward/tools"} <= set(first)
    assert first["reverse_kl/stem"] == pytest.approx(0, abs=1e-6)  # the student starts as this very teacher
    assert first["reverse_kl/tools"] > 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_disturbed_stage_ends_with_the_same_weights(sft, tmp_path, number):
    straight = prepare(tmp_path / "straight", GRPO, start_folder=start_of(sft))
    run(straight)
    disturbed = prepare(tmp_path / "disturbed", GRPO, start_folder=start_of(sft))
    process = launch(disturbed)
    wait_for_step(disturbed, 6, process)
    process.send_signal(number)
    status = process.wait(timeout=30)
    outcome = read_document(disturbed.outcome, Outcome)
    if number == signal.SIGKILL:
        assert outcome is None
    else:
        assert (status, outcome.status) == (0, "stopped")
        assert 6 <= outcome.step < 11
    with open(disturbed.steps, "a") as handle:
        handle.write('{"step": 7, "at"')  # a line that was being written

    assert run(disturbed) == Outcome(status="done", step=11)
    assert weights(disturbed, 11) == weights(straight, 11)
    assert [r.step for r in read_records(disturbed.steps, StepRecord)[0]] == list(range(1, 12))


def test_a_stop_while_the_reward_model_trains(sft, tmp_path):
    class StopAtOnce:
        def is_set(self) -> bool:
            return True

    stage_dir = prepare(tmp_path / "rl", GRPO, start_folder=start_of(sft))
    assert carry_out(stage_dir, StopAtOnce(), lambda: train) == Outcome(status="stopped", step=0)
    assert not stage_dir.steps.exists()
    assert run(stage_dir) == Outcome(status="done", step=11)


def test_an_engine_that_is_not_there(sft, tmp_path, monkeypatch):
    monkeypatch.setenv("CASCADE_ENGINE", "abacus")
    outcome = run(prepare(tmp_path / "rl", GRPO, start_folder=start_of(sft)))
    assert (outcome.code, outcome.reason) == (
        "bad_spec",
        "found CASCADE_ENGINE 'abacus', expected one of: auto, torch, vllm",
    )


def test_a_trainer_whose_parent_died_stops_by_itself(sft, tmp_path):
    stage_dir = prepare(tmp_path / "rl", GRPO.model_copy(update={"steps": 100_000}), start_folder=start_of(sft))
    code = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, sys.executable, "-m", "workers.training", stage_dir.path], stdout=subprocess.PIPE
    )
    child = int(parent.stdout.readline())
    wait_for_step(stage_dir, 2, parent)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    outcome = read_document(stage_dir.outcome, Outcome)
    assert outcome is not None
    assert outcome.status == "stopped"


def test_a_done_stage_is_left_alone(sft):
    before = sft.steps.stat().st_mtime_ns
    assert run(sft) == Outcome(status="done", step=12)
    assert sft.steps.stat().st_mtime_ns == before


def test_a_damaged_resume_checkpoint_fails_the_stage_and_a_retry_starts_it_over(sft, tmp_path):
    stage_dir = prepare(tmp_path / "rl", GRPO, start_folder=start_of(sft))
    run(stage_dir)
    stage_dir.outcome.unlink()  # as if it had died just before the end
    (resume,) = stage_dir.resume.glob("step_*")
    file = resume / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"\1\2\3\4")

    outcome = run(stage_dir)
    assert (outcome.status, outcome.code) == ("failed", "corrupt_checkpoint")
    assert "weights.safetensors is not what was written" in outcome.reason
    assert "retry to start this stage over" in outcome.reason
    assert run(stage_dir) == Outcome(status="done", step=11)


def test_a_teacher_with_another_tokenizer_is_refused(sft, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(sft.checkpoint(12), other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["tea"], vocabulary["cake"] = vocabulary["cake"], vocabulary["tea"]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    (other / "checksums.json").unlink()
    folders = {"tools": start_of(sft), "stem": str(other)}
    stage_dir = prepare(tmp_path / "mopd", MOPD, start_folder=start_of(sft), teacher_folders=folders)
    outcome = run(stage_dir)
    assert (outcome.status, outcome.code) == ("failed", "bad_spec")
    assert "of 'stem' has another tokenizer than the student (4 entries differ)" in outcome.reason

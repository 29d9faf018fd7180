"""A stage in two processes (gloo, on a CPU) does what it does in one, and survives the loss of either."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
import torch

from tests.training.test_every_option import StopAfter
from tests.training.test_train_stage import GRPO, MOPD, SFT, metrics, prepare, run, wait_for_step, weights
from workers.estimate import TooLargeError
from workers.machine import refuse_if_too_few_gpus
from workers.spec import GRPOSpec, LoRASpec, StageSpec
from workers.stage_dir import Outcome, StageDir, read_document
from workers.training import distributed, launcher
from workers.training.checkpoints import load_checkpoint
from workers.training.process import LEFT_ALONE, carry_out
from workers.training.trainer import train

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
SEVERAL_UPDATES = {"name": "several", "updates_per_batch": 2, "dynamic_filtering": "replace", "max_resampling": 2}
STAGES: dict[str, StageSpec] = {
    "sft": SFT,  # with Muon
    "grpo": GRPO,  # with a reference and a reward model
    "several": GRPOSpec.model_validate(GRPO.model_dump() | SEVERAL_UPDATES),
    "mopd": MOPD,
    "adapted": GRPO.model_copy(update={"lora": LoRASpec(rank=4), "gradient_checkpointing": True}),
    "rounded": SFT.model_copy(update={"precision": "bfloat16"}),
    "both": SFT.model_copy(
        update={"precision": "bfloat16", "lora": LoRASpec(rank=4), "optimizer": "adamw", "learning_rate": 2e-3}
    ),
}
ALIKE = 1e-4
ALIKE_ROUNDED = 1e-2  # micro-batches are others, so gradients are rounded to bfloat16 otherwise


def prepare_stage(folder: Path, name: str, start: Path) -> StageDir:
    """Prepare a stage that asks for two processes; GRPO and MOPD start from a checkpoint, MOPD learns from it and the base."""
    stage = STAGES[name].model_copy(update={"processes": 2})
    more: dict[str, object] = {} if STAGES[name].kind == "sft" else {"start_folder": str(start)}
    if name == "mopd":
        more["teacher_folders"] = {"tools": str(start), "stem": str(start.with_name("step_000000"))}
    return prepare(folder, stage, **more)


def launch(command: Sequence[str], *folders: StageDir) -> subprocess.Popen[bytes]:
    with open(folders[0].log, "ab") as log:
        return subprocess.Popen([*command, *(str(folder.path) for folder in folders)], stdout=log, stderr=log)


def assert_alike(one: StageDir, two: StageDir, limit: float = ALIKE) -> None:
    """Compare every metric of every step but times, and the weights at the end."""
    pairs = list(zip(metrics(one), metrics(two), strict=True))
    print(f"{one.path.name}: losses of one process and of two differ by", _largest_gap(pairs, "loss"))
    for single, several in pairs:
        assert single.keys() == several.keys()
    for name in pairs[0][0]:
        if not name.endswith("_s"):
            assert _largest_gap(pairs, name) < limit, name
    ends = [load_checkpoint(folder.checkpoint(len(pairs))).model.state_dict() for folder in (one, two)]
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, atol=limit, rtol=0)


def _largest_gap(pairs: list[tuple[dict[str, float], dict[str, float]]], name: str) -> float:
    return max(abs(single[name] - several[name]) for single, several in pairs if name in single)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StageDir]:
    """Every stage in this process, whatever it asks for."""
    root = tmp_path_factory.mktemp("alone")
    start = root / "sft" / "checkpoints" / "step_000012"
    folders = {name: prepare_stage(root / name, name, start) for name in STAGES}
    assert all(run(folder).status == "done" for folder in folders.values())
    return folders


@pytest.fixture(scope="module")
def together(alone: dict[str, StageDir], tmp_path_factory: pytest.TempPathFactory) -> dict[str, StageDir]:
    """Every stage in two processes, from the same starts."""
    root = tmp_path_factory.mktemp("together")
    folders = {name: prepare_stage(root / name, name, alone["sft"].checkpoint(12)) for name in STAGES}
    done = launch([*TORCHRUN, "tests.training.stages_in_turn"], *folders.values())
    assert done.wait(timeout=240) == 0, folders["sft"].log.read_text()
    return folders


@pytest.mark.training
@pytest.mark.parametrize("name", STAGES)
def test_two_processes_train_as_one_does(alone, together, name) -> None:
    is_rounded = STAGES[name].precision == "bfloat16"
    assert_alike(alone[name], together[name], limit=ALIKE_ROUNDED if is_rounded else ALIKE)
    assert [path.name for path in alone[name].rollouts.iterdir()] == [
        path.name for path in together[name].rollouts.iterdir()
    ]


def a_process(launched: int, number: int) -> psutil.Process:
    """Find one of the processes that a launcher started."""
    (found,) = (p for p in psutil.Process(launched).children() if p.environ().get("RANK") == str(number))
    return found


@pytest.mark.training
def test_the_loss_of_a_process_ends_the_stage_and_the_next_attempt_goes_on(alone, together, tmp_path) -> None:
    folder = prepare_stage(tmp_path / "rl", "grpo", alone["sft"].checkpoint(12))
    process = launch([sys.executable, "-m", "workers.training"], folder)
    wait_for_step(folder, 6, process)
    other = a_process(process.pid, 0)
    a_process(process.pid, 1).kill()
    assert process.wait(timeout=30) == -signal.SIGKILL  # as a stage of one process that is killed
    assert not other.is_running() or other.status() == psutil.STATUS_ZOMBIE
    assert read_document(folder.outcome, Outcome) is None
    on_one = StageDir(tmp_path / "one")
    shutil.copytree(folder.path, on_one.path)

    assert launch([sys.executable, "-m", "workers.training"], folder).wait(timeout=120) == 0
    assert read_document(folder.outcome, Outcome) == Outcome(status="done", step=11)
    assert weights(folder, 11) == weights(together["grpo"], 11)
    assert run(on_one) == Outcome(status="done", step=11)
    assert_alike(alone["grpo"], on_one)


@pytest.mark.training
def test_a_stage_of_one_process_goes_on_in_two_and_is_stopped(alone, tmp_path) -> None:
    folder = prepare_stage(tmp_path / "sft", "sft", Path())
    assert carry_out(folder, StopAfter(7), lambda: train) == Outcome(status="stopped", step=7)  # type: ignore[arg-type]
    longer = STAGES["sft"].model_copy(update={"steps": 100_000, "processes": 2})
    spec, stopped = folder.spec.read_text(), prepare(tmp_path / "stopped", longer, start_folder=None)
    assert launch([*TORCHRUN, "workers.training"], folder).wait(timeout=120) == 0
    assert folder.spec.read_text() == spec
    assert_alike(alone["sft"], folder)

    process = launch([sys.executable, "-m", "workers.training"], stopped)
    wait_for_step(stopped, 3, process)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    outcome = read_document(stopped.outcome, Outcome)
    assert outcome is not None
    assert outcome.status == "stopped"
    assert [path.name for path in stopped.resume.iterdir()] == [f"step_{outcome.step:06d}"]


@pytest.mark.training
def test_processes_go_with_their_launcher_and_stop_when_its_parent_is_gone(alone, tmp_path) -> None:
    folder = prepare_stage(tmp_path / "rl", "grpo", alone["sft"].checkpoint(12))
    code = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
    longer = folder.spec.read_text().replace('"steps": 11', '"steps": 100000')
    folder.spec.write_text(longer)
    command = [sys.executable, "-c", code, sys.executable, "-m", "workers.training", str(folder.path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for_step(folder, 2, parent)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while read_document(folder.outcome, Outcome) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    outcome = read_document(folder.outcome, Outcome)
    assert outcome is not None
    assert outcome.status == "stopped"


def test_how_a_stage_ended_is_how_its_processes_did(monkeypatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(launcher, "_die_of", lambda number: killed.append(number) or 1)
    term, kill = signal.SIGTERM, signal.SIGKILL
    assert launcher._end_as([LEFT_ALONE, -kill]) == 1
    assert launcher._end_as([-term, -kill]) == 1
    assert launcher._end_as([-term]) == 1
    assert killed == [kill, kill, term]
    assert launcher._end_as([-term, 1]) == 1  # it has left an outcome
    assert launcher._end_as([LEFT_ALONE, 1]) == 1
    assert len(killed) == 3


def test_work_is_dealt_out_evenly(monkeypatch) -> None:
    sizes, shares = [9, 1, 1, 4, 5, 4], []
    monkeypatch.setattr(distributed, "n_processes", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(distributed, "number", lambda number=number: number)
        shares.append(distributed.own_share(list(enumerate(sizes)), size=lambda item: item[1]))
    assert sorted(item for share in shares for item in share) == list(enumerate(sizes))
    assert [sum(size for _, size in share) for share in shares] == [9, 7, 8]


def test_a_process_on_its_own_has_no_others(monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")  # as another launcher says it
    monkeypatch.setenv("RANK", "3")
    distributed.join("alone")
    assert not torch.distributed.is_initialized()
    assert (distributed.n_processes(), distributed.is_first(), distributed.gather(5)) == (1, True, [5])
    assert distributed.split_work([1, 2], lambda items: [2 * item for item in items]) == [2, 4]


def test_more_processes_than_gpus_are_refused() -> None:
    refuse_if_too_few_gpus("rl", 2, 2)
    refuse_if_too_few_gpus("rl", 1, 0)
    with pytest.raises(TooLargeError, match="stage 'rl' has 4 processes, one GPU each, and this machine has 2; lower"):
        refuse_if_too_few_gpus("rl", 4, 2)

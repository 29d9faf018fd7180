"""The nursery: children forked from a process that has torch imported behave as processes started one by one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.training.test_train_stage import SFT, prepare, weights
from tests.worker.test_supervisor import is_alive, said_in, wait_for
from workers import launch
from workers.nursery import ROOT
from workers.stage_dir import StageDir

PROGRAM = "tests.worker.small_program"
WARM_S = 90  # within this time a nursery has imported torch, on a busy machine too
WORKER = f"""
import sys
from pathlib import Path
from workers import launch
from workers.stage_dir import StageDir
launch.warm_up()
if sys.argv[1:]:
    child = launch.start(StageDir(Path(sys.argv[1])), {PROGRAM!r})
    print(child.pid, flush=True)
    child.wait()
print("ready", flush=True)
sys.stdin.read()
"""


def start(path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> tuple[StageDir, launch.ChildProcess]:
    monkeypatch.setenv("SMALL_ENDING", ending)
    folder = StageDir(path)
    return folder, launch.start(folder, PROGRAM)


def facts(folder: StageDir) -> dict[str, object]:
    """What a program told of itself; its first line may be on its way."""
    wait_for(lambda: "\n" in said_in(folder.log), within_s=WARM_S)
    told: dict[str, object] = json.loads(folder.log.read_text().splitlines()[0])
    return told


def nursery_of(worker: int) -> psutil.Process:
    def found() -> list[psutil.Process]:
        return [p for p in psutil.Process(worker).children() if "workers.training.nursery" in p.cmdline()]

    wait_for(found)
    (nursery,) = found()
    return nursery


def test_a_child_is_a_process_of_its_own(tmp_path, monkeypatch) -> None:
    folder, child = start(tmp_path / "a", "0", monkeypatch)
    assert child.wait(timeout=WARM_S) == 0
    assert child.poll() == 0
    told = facts(folder)
    assert told["argv"] == [str(folder.path)]
    assert told["command"] == ["-m", PROGRAM, str(folder.path)]
    assert (told["group"], told["threads"], told["read"]) == (child.pid, 1, "")
    assert told["descriptors"] == 3 + 1  # one is open to count them
    assert nursery_of(os.getpid()).children() == []


@pytest.mark.parametrize("ending", [3, -signal.SIGKILL, -signal.SIGTERM])
def test_the_status_says_how_a_child_ended(tmp_path, monkeypatch, ending) -> None:
    _, child = start(tmp_path, str(int(ending)), monkeypatch)
    assert child.wait(timeout=WARM_S) == ending


def test_an_exception_ends_in_the_log_with_status_1(tmp_path, monkeypatch) -> None:
    folder, child = start(tmp_path, "a surprise", monkeypatch)
    assert child.wait(timeout=WARM_S) == 1
    assert folder.log.read_text().endswith("RuntimeError: a surprise\n")


def test_two_at_once_end_in_any_order(tmp_path, monkeypatch) -> None:
    slow_folder, slow = start(tmp_path / "slow", "stop", monkeypatch)
    quick_folder, quick = start(tmp_path / "quick", "5", monkeypatch)
    assert quick.wait(timeout=WARM_S) == 5
    assert slow.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        slow.wait(timeout=0.01)
    wait_for(lambda: "waiting" in said_in(slow_folder.log))
    launch.stop(slow, meanwhile=lambda: None)
    assert slow.wait() == 0
    assert "stopped" in slow_folder.log.read_text()
    assert "stopped" not in quick_folder.log.read_text()


def test_neither_the_nursery_nor_its_children_are_told_secrets(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_1")
    monkeypatch.setenv("FAKE_STEP_S", "7")  # after the nursery has started, maybe
    folder, child = start(tmp_path, "0", monkeypatch)
    child.wait(timeout=WARM_S)
    told = facts(folder)["environment"]
    assert isinstance(told, dict)
    assert told["FAKE_STEP_S"] == "7"
    assert "SECRET_KEY" in os.environ
    assert not {"HF_TOKEN", "SECRET_KEY"} & set(told)
    assert "SECRET_KEY" not in nursery_of(os.getpid()).environ()


@pytest.mark.training
def test_children_of_a_killed_nursery_stop_and_the_next_gets_another(tmp_path, monkeypatch) -> None:
    folder, child = start(tmp_path / "a", "stop", monkeypatch)
    wait_for(lambda: "waiting" in said_in(folder.log), within_s=WARM_S)
    nursery_of(os.getpid()).kill()
    assert child.wait(timeout=20) == -signal.SIGKILL
    assert "stopped" in folder.log.read_text()
    assert not is_alive(child.pid)
    _, other = start(tmp_path / "b", "0", monkeypatch)
    assert other.wait(timeout=WARM_S) == 0


@pytest.mark.training
def test_a_child_that_was_never_forked_counts_as_killed(tmp_path, monkeypatch) -> None:
    start(tmp_path / "a", "0", monkeypatch)[1].wait(timeout=WARM_S)
    nursery = nursery_of(os.getpid())
    nursery.suspend()
    _, child = start(tmp_path / "b", "0", monkeypatch)
    nursery.kill()
    assert child.wait(timeout=20) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        _ = child.pid


@pytest.mark.training
def test_a_killed_worker_takes_its_nursery_and_children_along(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SMALL_ENDING", "stop")
    with subprocess.Popen([sys.executable, "-c", WORKER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        nursery = nursery_of(worker.pid).pid
        wait_for(lambda: "waiting" in said_in(tmp_path / "log.txt"), within_s=WARM_S)
        worker.kill()
    wait_for(lambda: not is_alive(nursery) and not is_alive(child))
    assert "stopped" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_worker_that_ends_during_the_imports_leaves_no_nursery(is_killed) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, **pipes) as worker:
        worker.stdout.readline()
        nursery = nursery_of(worker.pid).pid
        if is_killed:
            worker.kill()
    wait_for(lambda: not is_alive(nursery), within_s=5)


@pytest.mark.training
def test_a_forked_stage_ends_with_the_weights_of_one_started_alone(tmp_path) -> None:
    stage = SFT.model_copy(update={"steps": 3})
    forked, alone = prepare(tmp_path / "forked", stage), prepare(tmp_path / "alone", stage)
    first = launch.start(forked, launch.TRAIN)
    subprocess.run([sys.executable, "-m", launch.TRAIN, alone.path], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert first.wait(timeout=WARM_S) == 0, forked.log.read_text()
    assert weights(forked, 3) == weights(alone, 3)


@pytest.mark.training
def test_a_library_that_cannot_be_imported_fails_the_stage_not_the_nursery(tmp_path, monkeypatch) -> None:
    """In a worker of its own, whose nursery finds a broken transformers before the real one."""
    broken = tmp_path / "libraries" / "transformers"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('this library is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    folder = prepare(tmp_path / "stage", SFT)
    program = WORKER.replace(repr(PROGRAM), repr(launch.TRAIN))
    with subprocess.Popen(
        [sys.executable, "-c", program, folder.path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        wait_for(folder.outcome.exists, within_s=WARM_S)
        assert nursery_of(worker.pid).is_running()
        worker.kill()
    assert '"failed"' in folder.outcome.read_text()
    assert "this library is broken" in folder.log.read_text()

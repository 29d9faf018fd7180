"""Trainers and workers killed in the middle of a stage: the run goes on by itself and ends with the same weights."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from runs.management.embedded import redis_url
from tests.worker.test_up import ROOT, answers, environment, free_port, up, wait_for
from workers.stage_dir import StageDir

pytestmark = pytest.mark.training

RECIPE = """
name: survivor
seed: 3
model: {kind: tiny, hidden_size: 32, layers: 1, heads: 2, head_size: 16, mlp_size: 32}
stages:
  - {kind: sft, name: warm, domains: {instructions: 1, stem: 1}, steps: 60, learning_rate: 0.003, checkpoint_every: 5, batch_size: 32}
  - {kind: grpo, name: if_rl, domains: {instructions: 1}, steps: 60, learning_rate: 0.001, checkpoint_every: 5,
     prompts_per_step: 8, rollouts_per_prompt: 8}
benchmarks:
  - {domain: instructions, n_problems: 16, n_validation: 8}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The whole product on its own folder and port, with a short lease so that a lost worker is noticed soon."""
    var, port = tmp_path_factory.mktemp("survival"), free_port()
    os.environ["CASCADE_LEASE_SECONDS"] = "6"
    with up(var, port):
        wait_for(lambda: answers(port), "the product to come up")
        (var / "recipe.yaml").write_text(RECIPE)
        (var / "two.yaml").write_text(RECIPE.replace("name: if_rl,", "name: if_rl, processes: 2,"))
        yield var
    del os.environ["CASCADE_LEASE_SECONDS"]


def start(var: Path, recipe: str = "recipe.yaml") -> Path:
    """Start a run; returns its folder."""
    command = [sys.executable, "manage.py", "run_recipe", str(var / recipe)]
    done = subprocess.run(command, cwd=ROOT, env=environment(var, 0), capture_output=True, text=True, check=True)
    return var / "artifacts" / done.stdout.strip()


def steps_done(run: Path, stage: str) -> int:
    steps = run / stage / "steps.jsonl"
    return len(steps.read_text().splitlines()) if steps.exists() else 0


def final_weights(run: Path) -> str:
    """Wait for the last stage's checkpoint; returns the digest of its weights."""
    weights = StageDir(run / "if_rl").checkpoint(60) / "model.safetensors"
    wait_for(weights.exists, f"the last checkpoint of {run.name}", within_s=240)
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def kill(var: Path, *words: str, rank: str = "") -> None:
    """SIGKILL every process of this stack whose command line has all of these words; of a stage's several, one."""
    found = [p for p in psutil.process_iter(["cmdline", "environ"]) if _is_of(p, var, words, rank)]
    assert found, f"no process with {words}"
    for process in found:
        process.send_signal(signal.SIGKILL)


def _is_of(process: psutil.Process, var: Path, words: tuple[str, ...], rank: str) -> bool:
    line, variables = " ".join(process.info["cmdline"] or []), process.info["environ"] or {}
    is_meant = variables.get("CASCADE_VAR") == str(var) and all(word in line for word in words)
    return is_meant and (not rank or variables.get("RANK") == rank)


def cut_in(run: Path, stage: str, *victim: str, at_step: int, rank: str = "") -> None:
    """Kill something as soon as a stage has done so many steps."""
    wait_for(lambda: steps_done(run, stage) >= at_step, f"step {at_step} of {stage}")
    assert steps_done(run, stage) < 60, "too late to be in the middle"
    kill(run.parents[1], *victim, rank=rank)


@pytest.fixture(scope="module")
def undisturbed(stack: Path) -> str:
    return final_weights(start(stack))


def test_a_killed_trainer_is_started_again_and_ends_with_the_same_weights(stack: Path, undisturbed: str) -> None:
    run = start(stack)
    cut_in(run, "warm", "workers.training", f"{run.name}/warm", at_step=12)
    cut_in(run, "if_rl", "workers.training", f"{run.name}/if_rl", at_step=12)
    assert final_weights(run) == undisturbed


def test_a_stage_of_two_processes_goes_on_when_one_is_killed(stack: Path) -> None:
    run = start(stack, "two.yaml")
    cut_in(run, "if_rl", "workers.training", f"{run.name}/if_rl", at_step=12, rank="1")
    final_weights(run)
    log, steps = (run / "if_rl" / "log.txt").read_text(), (run / "if_rl" / "steps.jsonl").read_text()
    assert log.count("one of the stage's processes was killed by signal 9") == 1
    assert [json.loads(line)["step"] for line in steps.splitlines()] == list(range(1, 61))


def test_a_killed_worker_is_replaced_and_the_run_ends_with_the_same_weights(stack: Path, undisturbed: str) -> None:
    run = start(stack)
    cut_in(run, "if_rl", "celery", "--queues=cpu,gpu", at_step=12)
    assert final_weights(run) == undisturbed


def test_beat_web_and_redis_killed_at_once_do_not_stop_a_run(stack: Path, undisturbed: str) -> None:
    run = start(stack)
    wait_for(lambda: steps_done(run, "warm") >= 5, "the first steps")
    kill(stack, "celery", "beat")
    kill(stack, "uvicorn", "cascade_web.asgi")
    os.kill(redis.Redis.from_url(redis_url(stack)).info()["process_id"], signal.SIGKILL)
    time.sleep(1.0)
    assert final_weights(run) == undisturbed

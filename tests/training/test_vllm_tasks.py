"""Tasks of the lm-evaluation-harness with vLLM: beside the harness's own run with vLLM, and beside transformers."""

import contextlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.training.task_folders import write_tasks
from workers.spec import TaskAccess, TaskBenchmarkSpec, TinyModelSpec
from workers.stage_dir import ScoreRecord
from workers.training.checkpoints import save_checkpoint
from workers.training.lm_tasks import Harness
from workers.training.policy import build_policy

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.training,
    pytest.mark.filterwarnings("default"),  # the harness and its libraries warn of what is theirs
    pytest.mark.skipif(find_spec("vllm") is None, reason="needs vLLM: run make test-vllm"),
]
TASKS = ("small_choice", "small_generate")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    shape = TinyModelSpec(hidden_size=32, layers=2, heads=2, head_size=32, mlp_size=64)
    folder = tmp_path_factory.mktemp("stage") / "checkpoints" / "step_000000"
    save_checkpoint(folder, build_policy(shape, 0))
    return folder


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("of_team") / "tasks")


def asked(name: str, engine: str) -> TaskBenchmarkSpec:
    return TaskBenchmarkSpec.model_validate({"task": name, "task_folder": "tasks", "metric": "", "engine": engine})


@pytest.fixture(scope="module")
def heard() -> list[tuple[int, int]]:
    """What the harness told of its progress."""
    return []


@pytest.fixture(scope="module")
def harness(checkpoint, tasks, heard) -> Harness:
    """One for all: a process has room for one engine of vLLM."""
    access = TaskAccess(folders={name: str(tasks) for name in TASKS})
    return Harness(checkpoint, access, meanwhile=lambda n_done, n_asked: heard.append((n_done, n_asked)))


def score(harness: Harness, name: str, engine: str) -> ScoreRecord:
    record = harness.score(asked(name, engine), "test")
    assert record is not None
    return record


@pytest.mark.parametrize("name", ["small_choice", "small_generate"])
def test_documents_are_answered_as_with_transformers(harness, name):
    """In float32, greedily: the engines part in the last digits of log-probs alone."""
    ours, usual = (score(harness, name, engine) for engine in ("vllm", "transformers"))
    assert [item.key for item in ours.items] == [item.key for item in usual.items]
    assert [item.prompt for item in ours.items] == [item.prompt for item in usual.items]
    alike = [one.response == other.response for one, other in zip(ours.items, usual.items, strict=True)]
    print(f"{name}: {sum(alike)} of {len(alike)} answers alike; scores {ours.mean:.4f} and {usual.mean:.4f}")
    assert sum(alike) >= 0.9 * len(alike)
    for one, other in zip(ours.items, usual.items, strict=True):
        if one.response == other.response and "loglikelihood" in one.parts:
            assert one.parts["loglikelihood"] == pytest.approx(other.parts["loglikelihood"], abs=1e-3)


def test_the_engine_is_part_of_the_protocol(harness):
    ours, usual = (score(harness, "small_choice", engine) for engine in ("vllm", "transformers"))
    assert ours.protocol == {**usual.protocol, "engine": "vllm"}


def test_scores_are_those_of_the_harness_itself(harness, checkpoint, tasks):
    """The harness with the same engine, by its own means."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    found: Any
    with contextlib.chdir(tasks):
        found = lm_eval.simple_evaluate(
            model=harness._model_of(asked("small_choice", "vllm")),
            tasks=["small_choice"],
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
            bootstrap_iters=0,
        )
    ours = score(harness, "small_choice", "vllm")
    assert ours.mean == found["results"]["small_choice"]["acc,none"]
    assert [item.value for item in ours.items] == [sample["acc"] for sample in found["samples"]["small_choice"]]


def test_progress_is_told(harness, heard):
    heard.clear()
    score(harness, "small_choice", "vllm")
    assert heard[0][0] == 0
    assert all(0 <= n_done < n_asked for n_done, n_asked in heard)
    assert len(heard) > 1

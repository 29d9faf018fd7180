"""A run with a task of the lm-evaluation-harness through the Celery tasks: real processes, a real model, real scores."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from runs import added, ingest, ready
from runs.models import ItemResult, Run, Score, Status
from runs.report import drift_report
from tests.training.task_folders import write_tasks
from tests.web.some_runs import a_project, a_recipe, a_run
from workers import added_tasks, tasks

lm_eval = pytest.importorskip("lm_eval", reason="needs requirements-lm-eval.txt")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.training,
    pytest.mark.filterwarnings("default"),  # the harness and its libraries warn of what is theirs
]
TINY = {"kind": "tiny", "hidden_size": 16, "layers": 1, "heads": 2, "head_size": 8, "mlp_size": 16}
SFT = {"kind": "sft", "name": "warm", "domains": {"stem": 1}, "steps": 3, "batch_size": 4, "learning_rate": 0.01}
STEM = {"domain": "stem", "n_problems": 8, "n_validation": 8, "max_response_tokens": 4}


@pytest.fixture
def own(settings: Any, tmp_path: Path) -> Path:
    settings.TASKS_DIRS = [tmp_path / "tasks"]
    return write_tasks(tmp_path / "tasks" / "own")


def a_small_run(*asked: dict[str, Any]) -> Run:
    document = {"model": TINY, "stages": [SFT], "benchmarks": [STEM, *asked]}
    return a_run(a_project(), spec=a_recipe(**document))


def carry_out(run: Run) -> None:
    tasks.train_stage(run.stages.get().pk)
    for checkpoint in ready.checkpoints().filter(run=run):
        tasks.score_checkpoint(checkpoint.pk)


def says_itself(run: Run, own: Path, name: str) -> Any:
    from lm_eval.tasks import TaskManager

    folder = ingest.checkpoint_folder(run.checkpoints.get(stage__name="warm"))
    with contextlib.chdir(own):
        return lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": str(folder), "dtype": "float32", "device": "cpu"},
            tasks=[name],
            task_manager=TaskManager(include_path=str(own), include_defaults=False),
            bootstrap_iters=0,
        )


def test_a_run_scores_a_task_and_another_is_added_later(own: Path) -> None:
    run = a_small_run({"task": "small_choice", "task_folder": "own"})
    carry_out(run)
    run.refresh_from_db()
    assert run.status == Status.SUCCEEDED, [c.failure_reason for c in run.checkpoints.all()]
    theirs = says_itself(run, own, "small_choice")
    found = Score.objects.get(checkpoint__stage__name="warm", benchmark__domain="small_choice", benchmark__split="test")
    assert found.mean == theirs["results"]["small_choice"]["acc,none"]
    values = list(ItemResult.objects.filter(score=found).order_by("item").values_list("value", flat=True))
    assert values == [sample["acc"] for sample in theirs["samples"]["small_choice"]]
    matrix = drift_report(run).matrix
    cell = matrix.cell("warm", "small_choice")
    assert cell is not None
    assert cell.metric == f"acc (lm-eval {lm_eval.__version__})"
    assert cell.interval is not None
    assert Score.objects.filter(benchmark__domain="small_choice", benchmark__split="validation").count() == 2

    asked = added.add_benchmark(run, {"task": "small_generate", "task_folder": "own"}, rows=None, by=run.created_by)
    for scoring in asked.scorings.all():
        added_tasks.score_added(scoring.pk)
        scoring.refresh_from_db()
        assert scoring.status == Status.SUCCEEDED, scoring.failure_reason
    theirs = says_itself(run, own, "small_generate")
    found = Score.objects.get(checkpoint__stage__name="warm", benchmark__domain="small_generate")
    assert found.mean == theirs["results"]["small_generate"]["exact_match,letter"]
    assert [column.domain for column in drift_report(run).matrix.columns] == ["stem", "small_choice", "small_generate"]


def test_a_task_that_cannot_be_asked_fails_in_words_and_the_others_are_shown(own: Path) -> None:
    run = a_small_run({"task": "small_generate", "task_folder": "own"})
    (own / "utils.py").write_text("raise SystemExit")  # after the recipe was saved
    carry_out(run)
    checkpoint = run.checkpoints.get(stage__name="warm")
    assert (checkpoint.status, checkpoint.failure_code) == (Status.FAILED, "bad_task")
    assert "found the file utils.py, which is code" in checkpoint.failure_reason
    assert drift_report(run).matrix.cell("warm", "stem") is not None
    assert drift_report(run).matrix.cell("warm", "small_generate") is None
    (own / "utils.py").unlink()
    from runs import lifecycle

    lifecycle.retry(run)
    for waiting in ready.checkpoints().filter(run=run):
        tasks.score_checkpoint(waiting.pk)
    run = Run.objects.get(pk=run.pk)
    assert run.status == Status.SUCCEEDED
    assert drift_report(run).matrix.cell("warm", "small_generate") is not None


def test_a_folder_that_is_gone_says_so(own: Path, settings: Any) -> None:
    run = a_small_run({"task": "small_generate", "task_folder": "own"})
    settings.TASKS_DIRS = []
    carry_out(run)
    reason = run.checkpoints.get(stage__name="warm").failure_reason
    assert "found no folder 'own' below TASKS_DIRS" in reason

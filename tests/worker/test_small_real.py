"""The preset small-real, end to end: its sample rows registered, all its stages carried out, and every checkpoint scored on them."""

import json
import time
from collections import defaultdict

import pytest

from runs import lifecycle
from runs.ingest import scoring_folder, stage_folder
from runs.matrices import score_matrix
from runs.models import Checkpoint, DataSet, Project, Run, Stage, Status
from runs.presets import load_preset
from runs.recipes import save_recipe
from runs.samples import missing_samples, register_samples
from tests.web.some_runs import a_project
from workers import data_tasks, tasks
from workers.stage_dir import ScoreRecord, read_records
from workers.training.grade_apart import FAILED

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.training]
PRESET = "small-real"


@pytest.fixture
def project(warm_nursery: None) -> Project:
    return a_project()


def carried_out(project: Project) -> Run:
    """Do what choosing the preset and launching it does, each task in turn as workers do."""
    user = project.members.get()
    register_samples(PRESET, project=project, user=user)
    for data_set in DataSet.objects.all():
        data_tasks.register_data_set(data_set.pk)
    assert not missing_samples(PRESET, project)
    recipe = save_recipe(project=project, spec=load_preset(PRESET), user=user)
    run = lifecycle.start_run(project=project, recipe=recipe, user=user)
    for stage in run.stages.all():
        tasks.train_stage(stage.pk)
        stage.refresh_from_db()
        assert stage.status == Status.SUCCEEDED, f"{stage.name}: {stage.failure_reason}"
        for checkpoint in run.checkpoints.filter(status=Status.QUEUED):
            tasks.score_checkpoint(checkpoint.pk)
    return run


def parts_of(run: Run) -> dict[str, set[str]]:
    """What the graders said of the answers of all scorings, by domain."""
    found: dict[str, set[str]] = defaultdict(set)
    for checkpoint in run.checkpoints.all():
        records, _ = read_records(scoring_folder(checkpoint).scores, ScoreRecord)
        for record in records:
            found[record.domain] |= {json.dumps(item.parts, sort_keys=True) for item in record.items}
    return found


def test_the_whole_cascade_runs_on_real_formats(project: Project) -> None:
    started = time.monotonic()
    run = carried_out(project)
    spec = load_preset(PRESET)
    assert run.status == Status.SUCCEEDED
    checkpoints = Checkpoint.objects.filter(run=run)
    assert checkpoints.count() == len(spec.stages) + 1
    for checkpoint in checkpoints:
        assert checkpoint.is_scored, f"{checkpoint}: {checkpoint.failure_reason}"
    matrix = score_matrix(run)
    assert len(matrix.cells) == len(spec.benchmarks) * checkpoints.count()
    found = parts_of(run)
    for benchmark in spec.benchmarks:
        assert len(found[benchmark.domain]) > 1, (
            f"{benchmark.domain}: every answer was graded {found[benchmark.domain]}"
        )
    folders = [stage_folder(stage).path for stage in Stage.objects.filter(run=run)]
    texts = [path.read_text() for folder in folders for path in folder.rglob("*.jsonl")]
    assert not [text for text in texts if FAILED in text]
    learned = {cell[1] for cell, score in matrix.cells.items() if score.mean > 0}
    assert len(learned) >= 4, f"only {learned} ever had a right answer"
    print(f"{PRESET} took {time.monotonic() - started:.0f} s")

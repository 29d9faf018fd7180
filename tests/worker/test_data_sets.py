"""A team's own rows, from a file to scores: registered by a real process, pinned by a recipe, trained on and scored."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from runs import data_sets, ingest, lifecycle
from runs.matrices import score_matrix
from runs.models import Checkpoint, DataSet, Project, Stage, Status
from runs.pins import pin_data_sets
from runs.recipes import save_recipe
from tests.web.some_data import ROWS, a_recipe_on, ask, lines, register_rows
from tests.web.some_runs import a_project
from workers import data_tasks, launch, tasks
from workers.data_dir import BadRowRecord, RowRecord
from workers.recipe_text import RecipeError, check_recipe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(warm_nursery: None) -> Project:
    return a_project()


def registered(project: Project, rows: list[Any] = ROWS, **asked: Any) -> DataSet:
    data_set = register_rows(project, rows, **asked)
    data_tasks.register_data_set(data_set.pk)
    data_set.refresh_from_db()
    return data_set


def test_an_upload_is_read_and_counted_and_its_bad_rows_are_kept(project: Project) -> None:
    data_set = registered(project, [*ROWS, {"prompt": "no answer", "verifier": "exact"}])
    assert (data_set.status, data_set.failure_reason) == (Status.SUCCEEDED, "")
    assert (data_set.facts.n_rows, data_set.facts.n_bad) == (len(ROWS), 1)
    assert len(data_set.digest) == 64
    folder = data_sets.folder_of(data_set)
    assert [row.line for row in data_sets.records_of(folder.rows, RowRecord, start=2, n=2)] == [3, 4]
    (bad,) = data_sets.records_of(folder.bad_rows, BadRowRecord, start=0, n=50)
    assert bad.line == len(ROWS) + 1


def test_registering_is_done_once_whoever_is_told(project: Project) -> None:
    data_set = registered(project)
    data_tasks.register_data_set(data_set.pk)
    data_set.refresh_from_db()
    assert data_set.attempt == 1


def test_a_file_without_rows_fails_in_words_and_can_be_read_again(project: Project) -> None:
    data_set = registered(project, ["{"])
    assert (data_set.status, data_set.failure_code) == (Status.FAILED, "bad_spec")
    assert "found no row that can be used among 1" in data_set.failure_reason
    lifecycle.read_again(data_set)
    lifecycle.read_again(data_set)
    data_set.refresh_from_db()
    assert data_set.status == Status.QUEUED


def test_a_killed_reader_is_started_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "REGISTER", "tests.worker.small_program")
    monkeypatch.setenv("SMALL_ENDING", "-9")
    data_set = registered(project)
    assert (data_set.status, data_set.kills) == (Status.QUEUED, 1), data_set.failure_reason
    monkeypatch.undo()
    data_tasks.register_data_set(data_set.pk)
    data_set.refresh_from_db()
    assert data_set.status == Status.SUCCEEDED


def test_a_path_is_read_below_an_allowed_folder_only(project: Project, settings: Any, tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    for folder in (allowed, secret):
        folder.mkdir()
        (folder / "rows.jsonl").write_text(lines(ROWS))
    settings.DATA_DIRS = [allowed]
    user = project.members.get()
    data_set = data_sets.register_path(project=project, user=user, asked=ask(source=str(allowed / "rows.jsonl")))
    data_tasks.register_data_set(data_set.pk)
    assert DataSet.objects.get(pk=data_set.pk).facts.n_rows == len(ROWS)
    (allowed / "link.jsonl").symlink_to(secret / "rows.jsonl")
    (allowed / "to_secret").symlink_to(secret)
    refused = {
        str(secret / "rows.jsonl"): "expected one without '..' below",
        f"{allowed}/../secret/rows.jsonl": "expected one without '..' below",
        "rows.jsonl": "expected one without '..' below",
        str(allowed / "link.jsonl"): "found the symbolic link",
        str(allowed / "to_secret" / "rows.jsonl"): "found the symbolic link",
        str(allowed / "to_secret" / "nothing"): "found the symbolic link",
        str(allowed): "found the symbolic link",
        str(allowed / "none.jsonl"): "found nothing at",
        str(allowed / ("x" * 300)): "cannot be read",
    }
    for path, words in refused.items():
        with pytest.raises(data_sets.DataSetError, match=words):
            data_sets.register_path(project=project, user=user, asked=ask(source=path))
    settings.DATA_DIRS = []
    with pytest.raises(data_sets.DataSetError, match="this server reads no paths"):
        data_sets.register_path(project=project, user=user, asked=ask(source=str(allowed / "rows.jsonl")))


def test_a_path_that_became_a_link_is_not_followed(project: Project, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(lines(ROWS))
    settings.DATA_DIRS = [tmp_path]
    asked = ask(source=str(tmp_path / "rows.jsonl"))
    data_set = data_sets.register_path(project=project, user=project.members.get(), asked=asked)
    (tmp_path / "rows.jsonl").rename(tmp_path / "moved.jsonl")
    (tmp_path / "rows.jsonl").symlink_to(tmp_path / "moved.jsonl")
    data_tasks.register_data_set(data_set.pk)
    data_set.refresh_from_db()
    assert (data_set.status, data_set.failure_code) == (Status.FAILED, "bad_source")
    assert data_set.failure_reason.startswith("found the symbolic link")


def test_a_form_sent_twice_registers_once(project: Project) -> None:
    user = project.members.get()
    sent = [
        data_sets.register_upload(
            project=project, user=user, asked=ask(), file=SimpleUploadedFile("a.jsonl", b"{}\n"), form_key="k"
        )
        for _ in range(2)
    ]
    assert sent[0] == sent[1]
    assert len(list(data_sets.folder_of(sent[0]).path.parent.iterdir())) == 1


def test_a_recipe_pins_the_newest_version_and_keeps_an_older_one_that_it_names(project: Project) -> None:
    first = registered(project)
    pinned = check_recipe(pin_data_sets(a_recipe_on("own"), project))
    assert pinned.data_sets["own"].digest == first.digest
    second = registered(project, ROWS[:-1])
    assert second.version == 2
    again = pin_data_sets(pinned.model_dump(mode="json"), project)
    assert again["data_sets"]["own"]["digest"] == first.digest
    assert pin_data_sets(a_recipe_on("own"), project)["data_sets"]["own"]["digest"] == second.digest
    with pytest.raises(RecipeError, match="which this project does not have"):
        save_recipe(project=a_project("Other", owner="eve"), spec=pinned, user=project.members.get())


def test_what_a_document_says_of_its_rows_is_looked_up_not_believed(project: Project) -> None:
    data_set = registered(project)
    document = a_recipe_on("own")
    document["data_sets"] = {"own": {"digest": data_set.digest, "splits": {"train": 10**6}, "n_responses": 10**6}}
    assert pin_data_sets(document, project)["data_sets"]["own"]["n_responses"] == len(ROWS)
    document["data_sets"]["own"]["digest"] = "0" * 64
    with pytest.raises(RecipeError, match="leave the digest out to take the newest version, v1"):
        pin_data_sets(document, project)


def test_a_benchmark_asks_for_no_more_problems_than_there_are(project: Project) -> None:
    data_set = registered(project)
    (benchmark,) = check_recipe(pin_data_sets(a_recipe_on("own"), project)).benchmarks
    assert benchmark.n_problems == data_set.facts.splits["test"]
    assert benchmark.n_validation == data_set.facts.splits["validation"]


@pytest.mark.training
def test_a_run_trains_and_is_scored_on_a_data_set(project: Project, client: Client) -> None:
    data_set = registered(project)
    spec = check_recipe(pin_data_sets(a_recipe_on("own"), project))
    user = project.members.get()
    run = lifecycle.start_run(
        project=project, recipe=save_recipe(project=project, spec=spec, user=user), user=user, name="ours"
    )
    for stage in run.stages.all():
        tasks.train_stage(stage.pk)
        stage.refresh_from_db()
        assert stage.status == Status.SUCCEEDED, stage.failure_reason
    assert set(Stage.objects.get(run=run, name="rl").resolved["data_folders"]) == {"own"}
    for checkpoint in Checkpoint.objects.filter(run=run):
        tasks.score_checkpoint(checkpoint.pk)
        checkpoint.refresh_from_db()
        assert checkpoint.is_scored, checkpoint.failure_reason
    matrix = score_matrix(run)
    assert [column.domain for column in matrix.columns] == ["own"]
    assert {row for row, _ in matrix.cells} == {"base", "warm", "rl"}
    protocol = run.checkpoints.last().scores.filter(benchmark__split="test").get().benchmark.protocol
    assert protocol["rows"] == data_set.digest[:16]
    assert json.loads(ingest.stage_folder(run.stages.get(name="rl")).spec.read_text())["data_folders"][
        "own"
    ].startswith("..")
    client.force_login(user)
    there = f"/projects/team/runs/{run.number}/"
    assert '<th scope="col" title="own">' in client.get(f"{there}drift/").content.decode()
    for page in (there, f"{there}drift/figures/curves/", f"{there}drift/?cell=rl:own", f"{there}stages/rl/"):
        assert client.get(page).status_code == 200, page

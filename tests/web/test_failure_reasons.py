"""Why work failed is told to every member: where in the run's folder, never where on the server."""

from pathlib import Path

import pytest
from django.test import Client
from rest_framework.test import APIClient

from runs import ingest, lifecycle
from runs.models import Role, Run
from runs.reasons import MAX_REASON, reason_in_words
from tests.web.some_clients import a_client
from tests.web.some_runs import begin

pytestmark = pytest.mark.django_db


def test_no_page_and_no_answer_shows_where_the_folder_lies(run: Run, ada: Client, settings) -> None:
    settings.ARTIFACTS_DIR = Path("/srv/cascade data/artifacts")  # a space, which ends no path of ours
    checkpoint = ingest.run_folder(run) / "warm" / "checkpoints" / "step_000006"
    lifecycle.fail(begin(run, "warm"), code="error", reason=f"checkpoint {checkpoint} is damaged: it lacks config.json")
    stage, viewer = run.stages.get(name="warm"), a_client(run.project, Role.VIEWER)
    assert stage.failure_reason == "checkpoint warm/checkpoints/step_000006 is damaged: it lacks config.json"
    assert stage.attempts.get().reason == stage.failure_reason
    pages: list[tuple[Client | APIClient, str]] = [
        (ada, "/projects/team/runs/1/"),
        (ada, "/projects/team/runs/1/stages/warm/"),
        (ada, "/projects/team/runs/1/drift/"),
        (ada, "/projects/team/runs/1/drift/export/report.md"),
        (viewer, f"/api/v1/stages/{stage.public_id}/"),
        (viewer, f"/api/v1/runs/{run.public_id}/stages/"),
    ]
    for client, address in pages:
        text = client.get(address).content.decode()
        assert "/srv/" not in text, address
    assert "warm/checkpoints/step_000006" in ada.get("/projects/team/runs/1/").content.decode()


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("FileNotFoundError: [Errno 2] No such file: '/art/{run}/warm/spec.json'", "FileNotFoundError: [Errno 2] No such file: 'warm/spec.json'"),
        ("another process is writing in /art/{run}/warm; stop it first", "another process is writing in warm; stop it first"),
        ("found no folder /art/run_other/base, expected", "found no folder run_other/base, expected"),
        ("no tokenizer in /models/qwen/Qwen3-0.6B.", "no tokenizer in qwen/Qwen3-0.6B."),
        ("(/usr/lib/python3/site-packages/torch/nn.py, line 3)", "(…/nn.py, line 3)"),
        ("path=/home/ada/.cache/hub/ and file:///home/ada/x", "path=…/hub and …/x"),
        ("the disk /art/{run} is full", "the disk {run} is full"),
        ("see https://example.org/a/b/c, reward/stem or ../warm/spec.json: 3/4", "see https://example.org/a/b/c, reward/stem or ../warm/spec.json: 3/4"),
        ("a null \0 and half a character \ud800", "a null ␀ and half a character ?"),
        ("x" * 5000, "x" * MAX_REASON),
    ],
)  # fmt: skip
def test_paths_are_seen_from_the_runs_folder(said: str, stored: str, run: Run, settings) -> None:
    settings.ARTIFACTS_DIR, settings.MODELS_DIR = Path("/art"), Path("/models")
    assert reason_in_words(said.replace("{run}", run.public_id), run) == stored.replace("{run}", run.public_id)


def test_a_path_through_a_link_is_seen_from_the_runs_folder_too(run: Run, settings, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "art").symlink_to(tmp_path / "disk")
    settings.ARTIFACTS_DIR = tmp_path / "art"
    for root in ("art", "disk"):
        assert reason_in_words(f"no {tmp_path}/{root}/{run.public_id}/warm/spec.json", run) == "no warm/spec.json"

"""What no form of ours sends: it is refused or passed over, and never a fault of the server."""

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.ingest import stage_folder
from runs.models import Role, Run
from tests.web.some_clients import a_client
from tests.web.some_runs import a_recipe, finish

pytestmark = pytest.mark.django_db
NUL, MANY = "%00", "9" * 5000


@pytest.mark.parametrize(
    "address",
    [
        f"runs/?text={NUL}",
        f"runs/?status={NUL}&page={NUL}",
        f"runs/?page={MANY}",
        f"runs/?text={MANY}",
        f"runs/1/stages/warm/?rollouts={MANY}",
        f"runs/1/stages/warm/?part=rollouts&rollouts={NUL}",
        f"runs/1/drift/?cell={NUL}&since={NUL}&row={NUL}",
        "runs/1/drift/figures/curves/?columns=%C2%B2",
        f"runs/1/drift/figures/curves/?columns={MANY}",
        f"runs/{MANY}/",
        f"recipes/small/v{MANY}/",
        f"new/?recipe={NUL}",
        f"new/?preset={NUL}",
        "new/?preset=../../manage",
    ],
)
def test_odd_addresses(ada: Client, run: Run, address: str) -> None:
    finish(run, "warm", "if_rl")
    assert ada.get(f"/projects/team/{address}").status_code in (200, 404), address


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/tokens/", {"op": "revoke", "token": "\0"}),
        ("/tokens/", {"days": "\0"}),
        ("/new-project/", {"name": "\0"}),
        ("/projects/team/members/", {"op": "add", "username": "\0", "role": "viewer"}),
        ("/projects/team/members/", {"op": "role", "member": MANY, "role": "\0"}),
        ("/projects/team/new/", {"op": "remove:" + MANY}),
        ("/projects/team/new/", {"op": "launch", "shown": "yaml", "text": "name: \0", "launch_key": "\0"}),
        ("/projects/team/new/", {"op": "check", "stages.0.kind": "nope"}),
        ("/projects/team/new/", {"op": "check", f"stages.{MANY}.kind": "sft"}),
        ("/projects/team/new/", {"op": "check", "model.kind": "\0"}),
        ("/projects/team/new/", {"op": "check", "seed": MANY}),
    ],
)
def test_odd_forms(ada: Client, address: str, form: dict[str, str]) -> None:
    assert ada.post(address, form).status_code in (200, 302, 400, 404, 422)


def _changed(path: list[str | int], value: object) -> str:
    document = a_recipe().model_dump(mode="json")
    inner = document
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "path",
    [
        ["\ud800"],
        ["description"],
        ["stages", 0, "domains", "\ud800"],
        ["stages", 1, "starts_from"],
        ["stages", 2, "teachers"],
    ],
)
def test_half_a_character_in_json_is_refused(run: Run, path: list[str | int]) -> None:
    body = _changed(path, {"\ud800": "\ud800"} if path[-1] == "teachers" else "\ud800")
    client = a_client(run.project, Role.RUNNER)
    response = client.post("/api/v1/projects/team/recipes/", body, content_type="application/json")
    assert response.status_code == 422, response.json()
    (error,) = response.json()["errors"]
    assert "half a character" in error["message"]
    assert error["path"].startswith(f"/{path[0]}" if path[0] != "\ud800" else "")


@pytest.mark.parametrize(
    "name", ["two\nlines", 'quote " and \\', "../../etc/passwd", "<script>alert(1)</script>", "漢字\u202e"]
)
def test_a_run_may_have_any_name(ada: Client, run: Run, name: str) -> None:
    Run.objects.filter(pk=run.pk).update(name=name)
    finish(run, "warm")
    for page in ("", "stages/warm/log/?download=1", "drift/"):
        answer = ada.get(f"/projects/team/runs/1/{page}")
        assert answer.status_code == 200, page
        assert "\n" not in answer.headers.get("Content-Disposition", "")
        assert b"<script>alert" not in b"".join(answer)


def test_what_a_model_or_a_trainer_wrote_is_shown_as_text(ada: Client, run: Run) -> None:
    finish(run, "warm", "if_rl")
    stage = run.stages.get(name="if_rl")
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    folder = stage_folder(stage)
    for sample in folder.rollouts.iterdir():
        sample.write_text(sample.read_text().replace("<b>0</b>", evil).replace("<task", evil))
    folder.log.write_text(evil)
    run.stages.filter(pk=stage.pk).update(failure_reason=evil, failure_code="error", substep=evil[:60], status="failed")
    User.objects.filter(pk=run.created_by.pk).update(username=evil[:150])
    for page in ("", "stages/if_rl/", "stages/if_rl/?part=rollouts", "drift/"):
        text = ada.get(f"/projects/team/runs/1/{page}").content.decode()
        assert "<script>alert(1)" not in text, page
        assert "<img src=x" not in text, page
    log = ada.get("/projects/team/runs/1/stages/if_rl/log/")
    assert log.headers["Content-Type"].startswith("text/plain")
    assert log.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("depth", range(700, 1001, 20))
def test_json_of_any_depth_is_answered(run: Run, depth: int) -> None:
    body = "[" * depth + '"\\ud800"' + "]" * depth
    client = a_client(run.project, Role.RUNNER)
    response = client.post("/api/v1/projects/team/recipes/", body, content_type="application/json")
    assert response.status_code in (400, 422), depth

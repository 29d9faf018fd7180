"""Gates on pages, in the composer and over the API."""

import html

import pytest
from django.test import Client

from runs.models import ItemResult, Recipe, Role, Run
from tests.web.page_forms import form_fields
from tests.web.some_clients import a_client, client_of
from tests.web.some_runs import DOMAINS, a_project, a_recipe, a_run, finish
from workers.recipe_text import dump_recipe

pytestmark = pytest.mark.django_db
PAGE = "/projects/team/runs/1/"
GATE = {"after": "if_rl", "domain": "stem", "drop": 5.0, "then": "hold"}


@pytest.fixture
def run() -> Run:
    """A run that its first gate holds before the last stage; the second passed."""
    benchmarks = [{"domain": name, "n_problems": 64, "n_validation": 8} for name in DOMAINS]
    gates = [GATE, {**GATE, "drop": 90.0, "then": "warn"}]
    run = a_run(a_project(), spec=a_recipe(gates=gates, benchmarks=benchmarks))
    finish(run, "warm")
    ItemResult.objects.filter(score__checkpoint__run=run).update(value=1.0)
    finish(run, "if_rl")
    return run


def _page(client: Client, address: str = PAGE) -> str:
    return html.unescape(client.get(address).content.decode())


def test_run_and_drift_page_name_gate_numbers_and_reason_and_a_reviewer_approves(run: Run) -> None:
    reviewer = a_client(run.project, Role.REVIEWER)
    for address in (PAGE, f"{PAGE}drift/"):
        page = _page(reviewer, address)
        assert "Held by a gate" in page
        assert "gate 1 (after if_rl, STEM may not lose more than 5 points" in page
        assert "STEM changed by −" in page
        assert "Approve and go on" in page
        assert "Cancel the run…" not in page
    assert "passed: after if_rl, lowest: STEM" in _page(reviewer, f"{PAGE}drift/")
    assert "A gate</b> holds a run until somebody approves" in _page(client_of(run.created_by), "/inbox/")
    seen = Run.objects.get().held_at
    assert seen is not None
    reviewer.post(f"{PAGE}release/", {"seen": seen.isoformat()}, format="multipart")
    assert "Approved by" in _page(reviewer)
    log = _page(reviewer, "/projects/team/audit/")
    assert "<td>a gate</td>" in log
    assert "approved after a gate held" in log


def test_a_second_click_and_an_approval_of_something_else_are_told(run: Run) -> None:
    owner = client_of(run.created_by)
    stale = {"seen": "2026-01-01T00:00:00+00:00"}
    assert owner.post(f"{PAGE}release/", stale, format="multipart").status_code == 302
    assert "is held for another reason by now" in _page(owner)
    owner.post(f"{PAGE}release/")
    owner.post(f"{PAGE}release/")
    assert "is not held; reload the page" in _page(owner)


def test_a_viewer_reads_and_cannot_approve(run: Run) -> None:
    viewer = a_client(run.project, Role.VIEWER)
    page = _page(viewer)
    assert "A reviewer may approve it." in page
    assert "Approve and go on" not in page
    assert viewer.post(f"{PAGE}release/").status_code == 403
    assert Run.objects.get().held_at is not None


def test_a_runner_cancels_what_a_gate_holds(run: Run) -> None:
    runner = a_client(run.project, Role.RUNNER)
    assert "Cancel the run…" in _page(runner, f"{PAGE}drift/")
    runner.post(f"{PAGE}cancel/")
    assert "Cancel the run…" not in _page(runner)


def test_the_api_lists_what_gates_found_and_approves(run: Run) -> None:
    owner, address = client_of(run.created_by), f"/api/v1/runs/{run.public_id}/"
    held, passed = owner.get(f"{address}gates/").json()["results"]
    assert (held["gate"], held["outcome"], held["approved_by"]) == (0, "held", None)
    assert held["changes"][0]["is_lost"]
    assert passed["outcome"] == "passed"
    shown = owner.get(address).json()
    assert (shown["status"], shown["held_by"]) == ("awaiting_review", None)
    assert shown["hold_reason"] == held["words"]
    assert owner.get("/api/v1/notices/").json()["results"][0]["run"] == run.public_id
    wrong = owner.post(f"{address}release/", {"held_at": "2026-01-01T00:00:00Z"}).json()
    assert wrong["code"] == "other_hold"
    assert owner.post(f"{address}release/", {"held_at": shown["held_at"]}).json()["held_at"] is None
    assert owner.get("/api/v1/projects/team/audit/").json()["results"][1]["actor"] is None


def test_the_composer_adds_changes_follows_and_removes_gates(client: Client) -> None:
    project = a_project()
    client.force_login(project.members.get())
    address = "/projects/team/new/"
    text = dump_recipe(a_recipe(gates=[GATE]))
    page = client.post(address, {"shown": "yaml", "text": text, "op": "show:form"}).content.decode()
    fields = form_fields(page)
    assert (fields["gates.0.after"], fields["gates.0.drop"]) == ("if_rl", "5")
    fields |= {"stages.1.name": "other_rl", "op": "gate-add"}
    fields = form_fields(client.post(address, fields).content.decode())
    assert (fields["gates.0.after"], fields["gates.1.after"]) == ("other_rl", "other_rl")
    fields |= {"gates.1.after": "", "gates.1.domain": "", "gates.1.then": "warn"}
    client.post(address, {**fields, "op": "save"})
    assert [(g.after, g.domain, g.then) for g in Recipe.objects.get().spec.gates] == [
        ("other_rl", "stem", "hold"), (None, None, "warn"),
    ]  # fmt: skip
    fields = form_fields(client.post(address, {**fields, "op": "gate-remove:0"}).content.decode())
    assert "gates.1.on" not in fields
    assert fields["gates.0.then"] == "warn"
    for nonsense in ("gate-remove:7", "gate-remove:x", "gate-remove:"):
        assert "gates.0.on" in form_fields(client.post(address, {**fields, "op": nonsense}).content.decode())

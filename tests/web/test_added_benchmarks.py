"""A benchmark is added to a run that is over: from the page and over the API, once, in words where it cannot be."""

import html
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from runs import ingest, lifecycle
from runs.lifecycle import NotPossibleError
from runs.models import AddedBenchmark, AddedScoring, AuditEntry, Role, Run, Status
from runs.report import drift_report
from tests.training.task_folders import write_tasks
from tests.web.some_clients import a_client, client_of
from tests.web.some_runs import a_member, finish, score_added, top_up_all

pytestmark = pytest.mark.django_db
TOOLS = {"domain": "tools", "n_problems": 16, "n_validation": 8}
DRIFT = "/projects/team/runs/1/drift/"


def post(run: Run, body: dict[str, Any], role: Role = Role.RUNNER) -> Any:
    member = run.project.members.filter(memberships__role=role).first()
    client = client_of(member) if member else a_client(run.project, role)
    return client.post(f"/api/v1/runs/{run.public_id}/benchmarks/", body, content_type="application/json")


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_all_checkpoints_are_scored_and_the_matrix_has_a_column_more(finished: Run, ada: Client) -> None:
    frozen = dict(finished.document)
    answer = post(finished, {"benchmark": TOOLS})
    assert answer.status_code == 202, answer.json()
    assert {(s["row"], s["status"]) for s in answer.json()["scorings"]} == {
        ("base", "queued"), ("warm", "queued"), ("if_rl", "queued"), ("mopd", "queued"),
    }  # fmt: skip
    assert answer.json()["benchmark"]["max_response_tokens"] == 16
    assert finished.status == Status.SUCCEEDED  # what was added is no work of the run
    assert "data-live-url" in ada.get(DRIFT).content.decode()
    score_added(finished)
    finished.refresh_from_db()
    assert finished.document == frozen
    matrix = drift_report(finished).matrix
    assert [column.domain for column in matrix.columns] == ["instructions", "stem", "tools"]
    assert all(matrix.cell(row.key, "tools") for row in matrix.rows)
    page = ada.get(DRIFT).content.decode()
    assert "<strong>Tool calling</strong>, added by" in page
    assert "4 of 4 checkpoints scored" in page
    assert "data-live-url" not in page
    assert ada.get(f"{DRIFT}?cell=mopd:tools").status_code == 200
    card = ingest.checkpoint_folder(finished.checkpoints.get(stage__name="mopd"))
    ingest.write_card(finished.checkpoints.get(stage__name="mopd"))
    assert "| Tool calling |" in (card / "README.md").read_text()


def test_what_is_added_changes_no_average(finished: Run, ada: Client) -> None:
    before = drift_report(finished)
    post(finished, {"benchmark": TOOLS, "rows": ["warm"]})
    finished = Run.objects.get(pk=finished.pk)
    queued = drift_report(finished)
    score_added(finished)
    scored = drift_report(Run.objects.get(pk=finished.pk))
    for later in (queued, scored):
        assert later.summary.average.value == before.summary.average.value
        assert [later.matrix.mean(row.key) for row in later.matrix.rows] == [
            before.matrix.mean(row.key) for row in before.matrix.rows
        ]
    assert before.matrix.mean("mopd") is not None


def test_asking_again_queues_and_records_only_what_is_missing(finished: Run) -> None:
    assert len(post(finished, {"benchmark": TOOLS, "rows": ["warm"]}).json()["scorings"]) == 1
    assert len(post(finished, {"benchmark": TOOLS, "rows": ["warm"]}).json()["scorings"]) == 1
    assert AuditEntry.objects.filter(action="benchmark.added").count() == 1
    score_added(finished)
    assert len(post(finished, {"benchmark": TOOLS}).json()["scorings"]) == 4
    entry = AuditEntry.objects.filter(action="benchmark.added").latest("pk")
    assert entry.after == {"benchmark": "tools", "checkpoints": ["base at step 0", "if_rl at step 6", "mopd at step 6"]}
    assert AddedScoring.objects.filter(status="succeeded").count() == 1  # what is scored stays
    post(finished, {"benchmark": TOOLS})
    assert AuditEntry.objects.filter(action="benchmark.added").count() == 2


@pytest.mark.parametrize(
    ("body", "status", "where", "words"),
    [
        ({"benchmark": {"domain": "stem"}}, 409, "is_in_recipe", "'stem' is a benchmark of the recipe"),
        ({"benchmark": {"domain": "nothing"}}, 422, "benchmark.domain", "found domain 'nothing'"),
        ({"benchmark": {**TOOLS, "n_problems": 1}}, 422, "benchmark.n_problems", "expected at least 8"),
        ({"benchmark": {**TOOLS, "k": 4}}, 422, "benchmark.k", "set metric to pass"),
        ({"benchmark": {"task": "arc_eazy"}}, 422, "benchmark.task", "did you mean arc_easy"),
        ({"benchmark": TOOLS, "rows": ["nowhere"]}, 422, "rows", "found row 'nowhere', expected a checkpoint with weights: base"),
        ({"benchmark": TOOLS, "rows": []}, 422, "rows", "found no checkpoint"),
        ({"benchmark": [1]}, 422, "benchmark", "dictionary"),
        ({}, 422, "benchmark", "required"),
    ],
)  # fmt: skip
def test_what_cannot_be_added_says_why(finished: Run, body: Any, status: int, where: str, words: str) -> None:
    if "arc_eazy" in str(body):
        pytest.importorskip("lm_eval", reason="needs requirements-lm-eval.txt")
    answer = post(finished, body)
    assert answer.status_code == status, answer.json()
    assert where in answer.content.decode()
    assert words in answer.content.decode()
    assert not AddedBenchmark.objects.exists()


def test_what_has_no_score_can_be_taken_back(finished: Run, ada: Client) -> None:
    post(finished, {"benchmark": TOOLS, "rows": ["warm"]})
    address = f"/api/v1/runs/{finished.public_id}/benchmarks/tools/"
    assert ada.get(address).json()["benchmark"]["n_problems"] == 16
    assert "drift/added/tools/remove/" in ada.get(DRIFT).content.decode()
    scoring = AddedScoring.objects.get()
    claim = lifecycle.claim_added_scoring(scoring.pk, worker="host:1")
    assert claim is not None
    assert ada.delete(address).json()["code"] == "in_progress"
    lifecycle.fail(claim, code="bad_task", reason="no documents")
    assert ada.delete(address).status_code == 204
    assert not AddedBenchmark.objects.exists()
    assert AuditEntry.objects.get(action="benchmark.removed").subject == f"tools in {finished}"
    assert ada.delete(address).status_code == 404
    assert post(finished, {"benchmark": {**TOOLS, "n_problems": 8}, "rows": ["warm"]}).status_code == 202
    assert "The benchmark tools is removed." in told(ada.post(f"{DRIFT}added/tools/remove/"))


def test_what_has_scores_stays(finished: Run, ada: Client) -> None:
    post(finished, {"benchmark": TOOLS, "rows": ["warm"]})
    score_added(finished)
    answer = ada.delete(f"/api/v1/runs/{finished.public_id}/benchmarks/tools/")
    assert (answer.status_code, answer.json()["code"]) == (409, "has_scores")
    assert "has scores, which stay" in told(ada.post(f"{DRIFT}added/tools/remove/"))
    assert "added/tools/remove/" not in ada.get(DRIFT).content.decode()


def test_other_settings_under_one_domain_are_refused(finished: Run) -> None:
    post(finished, {"benchmark": TOOLS})
    answer = post(finished, {"benchmark": {**TOOLS, "temperature": 0.5}})
    assert (answer.status_code, answer.json()["code"]) == (409, "another_benchmark")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
def test_who_only_reads_may_not_add(finished: Run, client: Client, role: Role) -> None:
    assert post(finished, {"benchmark": TOOLS}, role).status_code == 403
    client.force_login(a_member(finished.project, "vic", role))
    assert "add-benchmark" not in client.get(DRIFT).content.decode()
    assert client.post(f"{DRIFT}add/", {"domain": "tools"}).status_code == 403
    assert not AddedBenchmark.objects.exists()


def test_the_form_adds_and_says_what_is_wrong(finished: Run, ada: Client) -> None:
    page = ada.get(DRIFT).content.decode()
    assert 'id="add-benchmark"' in page
    assert '<option value="tools">' in page
    assert '<option value="stem">' not in page.split('id="add-domain"')[1].split("</select>")[0]
    wrong = {"domain": "tools", "n_problems": "x", "metric": "pass", "more": "k: 2", "rows": ["warm"]}
    answer = ada.post(f"{DRIFT}add/", wrong)
    assert answer.headers["Location"] == f"{DRIFT}#added"
    refused = html.unescape(ada.get(DRIFT).content.decode()).split('id="fold-add-benchmark"')[1].split("</details>")[0]
    assert refused.startswith(" open")
    assert "N problems: found 'x', expected a whole number" in refused
    assert all(
        kept in refused
        for kept in ('value="tools" selected', 'value="pass"', 'value="x"', ">k: 2<", 'value="warm" checked')
    )
    assert 'value="if_rl" checked' not in refused
    assert 'role="alert"' not in ada.get(DRIFT).content.decode().split('id="fold-add-benchmark"')[1]
    ada.post(f"{DRIFT}add/", {"rows": ["warm"]})
    assert "Choose a domain or data set, or name a task of lm-eval." in ada.get(DRIFT).content.decode()
    ada.post(f"{DRIFT}add/", {"domain": "tools", "more": "{", "rows": ["warm"]})
    assert "More settings: found text that is not YAML" in ada.get(DRIFT).content.decode()
    fields = {
        "domain": "tools",
        "n_problems": "16",
        "more": "n_validation: 8\nmetric: exact",
        "rows": ["warm", "if_rl"],
    }
    assert "tools: 2 checkpoints to score." in told(ada.post(f"{DRIFT}add/", fields))
    added = AddedBenchmark.objects.get()
    assert (added.document["metric"], added.document["n_problems"], added.document["n_validation"]) == ("exact", 16, 8)
    score_added(finished)
    assert "Score the rest" in ada.get(DRIFT).content.decode()
    assert "tools: 2 checkpoints to score." in told(ada.post(f"{DRIFT}add/", {"again": "tools"}))


def test_a_cell_without_an_added_score_offers_it(finished: Run, ada: Client) -> None:
    post(finished, {"benchmark": TOOLS, "rows": ["warm"]})
    score_added(finished)
    answer = ada.post(f"{DRIFT}score/", {"row": "mopd"})
    assert "Queued: mopd at step 6" in told(answer)
    assert [str(s) for s in AddedScoring.objects.filter(status="queued")] == ["tools on mopd at step 6"]
    assert "on the way; nothing was queued" in told(ada.post(f"{DRIFT}score/", {"row": "mopd"}))


def test_an_added_benchmark_is_topped_up_like_any(finished: Run) -> None:
    post(finished, {"benchmark": TOOLS})
    score_added(finished)
    from runs import top_ups

    try:
        top_ups.top_up(finished, domain="tools", before="warm", after="if_rl", by=finished.created_by)
    except NotPossibleError as error:
        pytest.skip(str(error))
    top_up_all(finished)
    cell = drift_report(finished).matrix.cell("if_rl", "tools")
    assert cell is not None
    assert cell.samples == 4


def test_scoring_the_recipe_again_keeps_what_was_added(finished: Run) -> None:
    post(finished, {"benchmark": TOOLS})
    score_added(finished)
    checkpoint = finished.checkpoints.get(stage__name="mopd")
    ingest.ingest_scores(checkpoint)
    assert set(checkpoint.scores.values_list("benchmark__domain", flat=True)) == {"instructions", "stem", "tools"}


def test_a_task_folder_is_added_as_a_recipe_takes_it(finished: Run, ada: Client, settings: Any, tmp_path: Any) -> None:
    settings.TASKS_DIRS = [tmp_path]
    write_tasks(tmp_path / "own")
    asked = {"task": "small_choice", "task_folder": "own", "limit": 8}
    answer = post(finished, {"benchmark": asked})
    assert answer.status_code == 202, answer.json()
    score_added(finished)
    assert all(
        drift_report(finished).matrix.cell(row.key, "small_choice") for row in drift_report(finished).matrix.rows
    )
    (tmp_path / "own" / "evil.py").write_text("")
    answer = post(finished, {"benchmark": {**asked, "domain": "other"}})
    assert (answer.status_code, "found the file evil.py" in answer.content.decode()) == (422, True)
    page = ada.get(f"{DRIFT}?cell=mopd:small_choice&before=warm").content.decode()
    assert "small_choice" in page


def test_a_run_that_is_under_way_scores_what_it_has(run: Run) -> None:
    finish(run, "warm")
    answer = post(run, {"benchmark": TOOLS})
    assert {s["row"] for s in answer.json()["scorings"]} == {"base", "warm"}
    score_added(run)
    finish(run, "if_rl")
    assert len(post(run, {"benchmark": TOOLS}).json()["scorings"]) == 3

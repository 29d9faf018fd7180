"""Data sets on pages: registering, what a version holds, the composer that trains on it, and leaks before launch."""

import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, TestCase

from runs import data_sets, leaks, lifecycle
from runs.models import AuditEntry, DataSet, LeakCheck, Project, Recipe, Role, Run, Status
from runs.pins import pin_data_sets
from runs.recipes import save_recipe
from tests.web.page_forms import form_fields
from tests.web.some_data import ROWS, a_data_set, a_recipe_on, lines, register_rows
from tests.web.some_runs import a_member, a_project
from workers.data_dir import BadRowRecord
from workers.recipe_text import check_recipe
from workers.training.data_sets.find_leaks import compare

pytestmark = pytest.mark.django_db
LIST, NEW, PAGE = "/projects/team/data/", "/projects/team/data/new/", "/projects/team/data/own/v1/"


def upload(client: Client, text: str = lines(ROWS), **given: Any) -> Any:
    file = SimpleUploadedFile("mine.jsonl", text.encode())
    form = {"name": "own", "use": "split", "grader": "", "form": "auto", "form_key": "k", "file": file, **given}
    return client.post(NEW, form)


def test_an_empty_list_says_how_rows_look_and_gives_the_first_step(ada: Client) -> None:
    text = ada.get(LIST).content.decode()
    assert "No data sets yet" in text
    assert "verifier" in text
    assert f'href="{NEW}"' in text


def test_rows_are_uploaded_once_however_often_the_button_is_pressed(ada: Client, project: Project) -> None:
    assert upload(ada).headers["Location"] == upload(ada).headers["Location"] == PAGE
    data_set = project.data_sets.get()
    assert (data_sets.folder_of(data_set).source / "rows.jsonl").read_text() == lines(ROWS)
    assert AuditEntry.objects.get(project=project).action == "data_set.registered"
    text = ada.get(PAGE).content.decode()
    assert "Waiting for a worker." in text
    assert 'hx-trigger="every 2s"' in text


def test_a_name_that_is_there_gets_a_new_version(ada: Client) -> None:
    upload(ada)
    assert upload(ada, form_key="other").headers["Location"] == PAGE.replace("v1", "v2")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "Own rows"}, "Found another kind of name"),
        ({"name": "stem"}, "is the name of a domain"),
        ({"file": ""}, "Found no file; give one."),
        ({"grader": "magic"}, "Select a valid choice"),
        ({"use": "all"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_registered_is_said_beside_its_field(ada: Client, given: dict[str, str], words: str) -> None:
    answer = upload(ada, **given)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not DataSet.objects.exists()


def test_a_file_that_is_too_large_is_refused(ada: Client, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 10
    answer = upload(ada)
    assert answer.status_code == 422
    assert "expected at most 10" in answer.content.decode()


def test_a_path_is_asked_for_only_where_folders_are_allowed(ada: Client, settings: Any, tmp_path: Path) -> None:
    assert 'name="path"' not in ada.get(NEW).content.decode()
    settings.DATA_DIRS = [tmp_path]
    assert 'name="path"' in ada.get(NEW).content.decode()
    answer = upload(ada, file="", path="/etc/passwd")
    assert answer.status_code == 422
    assert "below: " in answer.content.decode()


def test_a_viewer_registers_and_reads_again_nothing(ada: Client, project: Project) -> None:
    upload(ada)
    viewer = Client()
    viewer.force_login(a_member(project, "vic", Role.VIEWER))
    assert upload(viewer, form_key="v").status_code == 403
    assert viewer.post(f"{PAGE}again/").status_code == 403
    assert "disabled" in viewer.get(NEW).content.decode()


def test_a_version_shows_its_rows_its_bad_rows_and_what_it_holds(ada: Client, project: Project) -> None:
    long = {"prompt": "word " * 200, "answer": "x", "verifier": "exact"}
    a_data_set(project, [*ROWS, long, '{"prompt": "<b>no</b> answer"}'])
    text = ada.get(PAGE).content.decode()
    assert f"{len(ROWS) + 1} rows can be used, 1 cannot (1.0 %)" in " ".join(text.split())
    assert "say ab" in text
    assert "&lt;b&gt;no&lt;/b&gt; answer" in text
    assert "<b>no" not in text
    assert "found no verifier" in text
    assert '<details class="fold row-text">' in ada.get(f"{PAGE}?page=3").content.decode()
    assert ada.get(f"{PAGE}?page=x&bad=9").status_code == 200


def test_a_failed_registration_says_why_and_is_read_again(ada: Client, project: Project) -> None:
    data_set = register_rows(project)
    claim = lifecycle.claim_data(DataSet, data_set.pk, worker="host:1")
    assert claim is not None
    lifecycle.fail(claim, code="bad_spec", reason="found no row that can be used")
    bad = BadRowRecord(line=7, reason="found no verifier", text="<b>").model_dump_json()
    data_sets.folder_of(data_set).bad_rows.write_text(f"{bad}\n{bad[:20]}")  # whose reader was killed in the middle
    page = ada.get(PAGE).content.decode()
    assert "found no row that can be used" in page
    assert "The first rows that cannot be used" in page
    assert "found no verifier" in page
    for _ in range(2):
        assert ada.post(f"{PAGE}again/").status_code == 302
    data_set.refresh_from_db()
    assert data_set.status == Status.QUEUED


def test_the_part_that_asks_renews_the_page_when_all_is_read(ada: Client, project: Project) -> None:
    a_data_set(project)
    assert ada.get(f"{PAGE}?part=progress").headers["HX-Refresh"] == "true"


def test_a_data_set_becomes_a_recipe_that_is_launched_from_the_form(ada: Client, project: Project) -> None:
    data_set = a_data_set(project)
    form = form_fields(ada.get("/projects/team/new/?data=own&version=1").content.decode())
    assert form["data_sets.own.digest"] == data_set.digest
    answer = ada.post("/projects/team/new/", {**form, "op": "launch"})
    assert answer.status_code == 302, answer.content.decode()
    run = Run.objects.get(project=project)
    assert run.document["data_sets"]["own"]["digest"] == data_set.digest
    assert run.document["stages"][1]["domains"] == {"own": 1}
    assert [found["domain"] for found in run.document["benchmarks"]] == ["own"]
    text = ada.get(PAGE).content.decode()
    assert "own v1</a>" in text.split('id="used"')[1]


@pytest.mark.parametrize("role", ["response", "preference"])
def test_a_drafted_recipe_has_room_for_the_rows_and_what_rewards_them(ada: Client, project: Project, role: str) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": f"{'word ' * 60}{number}", "response": "yes", "answer": "yes", "verifier": "exact"}
        if role == "response"
        else {"prompt": f"Say {number}.", "chosen": "yes", "rejected": "no"}
        for number in range(100)
    ]
    a_data_set(project, rows)
    form = form_fields(ada.get("/projects/team/new/?data=own&version=1").content.decode())
    assert (form["model.vocabulary"], form["model.max_positions"]) == ("text", "512" if role == "response" else "256")
    assert ada.post("/projects/team/new/", {**form, "op": "launch"}).status_code == 302
    document = Run.objects.get(project=project).document
    assert bool(document["stages"][1]["reward_model"]) == (role == "preference")


def test_a_recipe_keeps_the_version_that_its_form_names(ada: Client, project: Project) -> None:
    first = a_data_set(project)
    a_data_set(project, ROWS[:-1])
    form = form_fields(ada.get("/projects/team/new/?data=own&version=1").content.decode())
    ada.post("/projects/team/new/", {**form, "op": "save"})
    assert Recipe.objects.get(project=project).document["data_sets"]["own"]["digest"] == first.digest


def test_the_composer_offers_data_sets_as_domains_and_benchmarks(ada: Client, project: Project) -> None:
    data_set = a_data_set(project)
    page = ada.get("/projects/team/new/?preset=tiny-cascade").content.decode()
    assert 'name="stages.0.domains.own.on"' in page
    assert 'value="own"' in page
    assert f'value="{data_set.facts.splits["test"]}"' in page


def test_another_projects_data_set_is_no_domain(ada: Client, project: Project) -> None:
    a_data_set(a_project("Other", owner="eve"))
    assert 'name="stages.0.domains.own.on"' not in ada.get("/projects/team/new/?preset=tiny-cascade").content.decode()
    assert ada.get("/projects/team/new/?data=own&version=1").status_code == 404


def checked(check: LeakCheck | None) -> LeakCheck:
    """Do a check in this process, as a worker does in another."""
    assert check is not None
    claim = lifecycle.claim_data(LeakCheck, check.pk, worker="host:1")
    assert claim is not None
    leaks.write_check_spec(check)
    compare(leaks.folder_of(check), _Never())  # type: ignore[arg-type]
    report = (leaks.folder_of(check).path / "report.json").read_text()
    lifecycle.finish_data(claim, report=json.loads(report))
    check.refresh_from_db()
    return check


class _Never:
    def is_set(self) -> bool:
        return False


def test_leaks_are_looked_for_and_shown_before_launch(ada: Client, project: Project) -> None:
    a_data_set(project, name="own", use="train")
    a_data_set(project, [{**row, "prompt": row["prompt"].upper()} for row in ROWS], name="asked", use="benchmark")
    document = {**a_recipe_on("own"), "benchmarks": [{"domain": "asked"}]}
    spec = check_recipe(pin_data_sets(document, project))
    recipe = save_recipe(project=project, spec=spec, user=project.members.get())
    assert LeakCheck.objects.count() == 1
    address = f"/projects/team/new/?recipe={recipe.public_id}"
    assert "are compared with training prompts" in ada.get(address).content.decode()
    check = checked(leaks.find_check(spec, project))
    for page in (address, f"/projects/team/recipes/{recipe.name}/v1/", f"/projects/team/data/leaks/{check.public_id}/"):
        text = ada.get(page).content.decode()
        assert f"{len(ROWS)} of {len(ROWS)} benchmark items also stand in training prompts" in text, page
        assert "but for case, spaces or punctuation" in text
        assert "SAY AB" in text
    assert LeakCheck.objects.count() == 1


def test_one_data_set_does_not_leak_into_its_own_benchmark(ada: Client, project: Project) -> None:
    a_data_set(project)
    spec = check_recipe(pin_data_sets(a_recipe_on("own"), project))
    save_recipe(project=project, spec=spec, user=project.members.get())
    report = leaks.report_of(checked(leaks.find_check(spec, project)))
    assert report is not None
    assert report.n_leaks == 0


def test_a_reader_queues_no_check(project: Project) -> None:
    a_data_set(project)
    viewer = Client()
    viewer.force_login(a_member(project, "vic", Role.VIEWER))
    assert viewer.get("/projects/team/new/?data=own&version=1").status_code == 200
    assert not LeakCheck.objects.exists()


def test_a_version_that_nothing_needs_is_deleted_with_its_rows(project: Project, ada: Client) -> None:
    data_set = a_data_set(project)
    folder = data_sets.folder_of(data_set).path
    assert folder.exists()
    with TestCase.captureOnCommitCallbacks(execute=True):
        answer = ada.post(f"{PAGE}delete/")
    assert (answer.status_code, answer.headers["Location"]) == (302, LIST)
    assert not DataSet.objects.exists()
    assert not folder.exists()
    entry = AuditEntry.objects.get(action="data_set.deleted")
    assert (entry.subject, entry.before) == ("own v1", {"rows": 100, "digest": data_set.digest})
    assert ada.get(PAGE).status_code == 404


def test_what_a_recipe_needs_stays_unless_another_version_holds_the_same_rows(project: Project, ada: Client) -> None:
    data_set = a_data_set(project)
    pinned = pin_data_sets(a_recipe_on("own"), project)
    save_recipe(project=project, spec=check_recipe(pinned), user=project.members.get())
    answer = ada.post(f"{PAGE}delete/", follow=True)
    assert "Own v1 is needed by ours v1; what they trained on or were scored on must stay." in unescape(
        answer.content.decode()
    )
    assert data_sets.folder_of(data_set).rows.exists()
    a_data_set(project)
    ada.post(f"{PAGE}delete/")
    assert [found.version for found in DataSet.objects.all()] == [2]


def test_a_worker_lets_go_of_rows_that_are_deleted(project: Project, ada: Client) -> None:
    data_set = register_rows(project)
    claim = lifecycle.claim_data(DataSet, data_set.pk, worker="host:1")
    assert claim is not None
    ada.post(f"{PAGE}delete/")
    assert not lifecycle.beat(claim)
    assert not lifecycle.finish_data(claim, digest="0" * 64, summary={})


def test_deleting_needs_a_runner(project: Project, client: Client) -> None:
    a_data_set(project)
    client.force_login(a_member(project, "vera", Role.REVIEWER))
    assert "Delete" not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}delete/").status_code == 403
    assert DataSet.objects.count() == 1

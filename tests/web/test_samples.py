"""The sample rows of a preset: registered when it is chosen, once, waited for in plain words, then the recipe opens."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from runs import data_sets, lifecycle
from runs.models import DataSet, Project, Role, Status
from runs.pins import pin_data_sets
from runs.presets import load_preset, sample_files
from runs.samples import missing_samples, register_samples
from tests.web.some_clients import a_client
from tests.web.some_data import a_data_set, read_rows
from tests.web.some_runs import a_member, a_project
from workers.recipe_text import RecipeError, check_recipe

pytestmark = pytest.mark.django_db
PRESET = "small-real"
NAMES = list(sample_files(PRESET))
ADDRESS, PAGE = "/projects/team/new/samples/", f"/projects/team/new/?preset={PRESET}"
API = f"/api/v1/projects/team/presets/{PRESET}/samples/"


@pytest.fixture
def project() -> Project:
    return a_project()


@pytest.fixture
def runner(client: Client, project: Project) -> Client:
    client.force_login(a_member(project, "rita", Role.RUNNER))
    return client


def read_all(project: Project) -> None:
    for data_set in DataSet.objects.filter(project=project, status=Status.QUEUED):
        read_rows(data_set)


def test_choosing_the_preset_registers_its_rows_and_then_opens_its_recipe(runner: Client, project: Project) -> None:
    assert f'value="{PRESET}"' in runner.get("/projects/team/new/").content.decode()
    assert runner.post(ADDRESS, {"preset": PRESET})["Location"] == PAGE
    assert sorted(DataSet.objects.filter(project=project).values_list("name", flat=True)) == sorted(NAMES)
    page = runner.get(PAGE).content.decode()
    assert f"Reading the sample rows: {len(NAMES)} of {len(NAMES)} data sets to go" in page
    read_all(project)
    part = runner.get(f"{PAGE}&part=samples")
    assert part.headers["HX-Refresh"] == "true"
    page = runner.get(PAGE).content.decode()
    assert "Launch" in page
    assert "Reading the sample rows" not in page
    assert runner.get("/projects/team/data/").content.decode().count("if_rows") >= 1


def test_looking_registers_nothing(runner: Client, project: Project) -> None:
    page = runner.get(PAGE).content.decode()
    assert f"Add the sample rows to {project.name}" in page
    assert runner.get(f"{PAGE}&as=yaml").status_code == 200
    assert not DataSet.objects.exists()


def test_a_reader_sees_what_is_missing_and_cannot_add_it(client: Client, project: Project) -> None:
    client.force_login(a_member(project, "vera", Role.VIEWER))
    page = client.get(PAGE).content.decode()
    assert "Adding them needs the role runner" in page
    assert client.post(ADDRESS, {"preset": PRESET}).status_code == 403
    assert not DataSet.objects.exists()


def test_two_who_choose_it_at_once_register_once(project: Project) -> None:
    user = project.members.get()
    for _ in range(2):
        register_samples(PRESET, project=project, user=user)
    assert DataSet.objects.count() == len(NAMES)
    assert len(list(data_sets.folder_of(DataSet.objects.first()).path.parent.iterdir())) == len(NAMES)  # type: ignore[arg-type]


def test_rows_of_the_same_name_are_another_version(project: Project) -> None:
    own = a_data_set(project, name="if_rows")
    register_samples(PRESET, project=project, user=project.members.get())
    read_all(project)
    assert not missing_samples(PRESET, project)
    assert [found.version for found in DataSet.objects.filter(name="if_rows")] == [2, 1]
    pins = pin_data_sets(load_preset(PRESET).model_dump(mode="json"), project)["data_sets"]
    assert pins["if_rows"]["digest"] != own.digest
    assert check_recipe(pin_data_sets(load_preset(PRESET).model_dump(mode="json"), project)) == load_preset(PRESET)


def test_the_same_rows_under_the_same_name_are_taken_as_they_are(project: Project) -> None:
    rows = sample_files(PRESET)["if_rows"].read_text().splitlines()
    a_data_set(project, rows, name="if_rows")
    register_samples(PRESET, project=project, user=project.members.get())
    assert DataSet.objects.filter(name="if_rows").count() == 1


def test_a_failure_is_told_and_can_be_repeated(runner: Client, project: Project) -> None:
    register_samples(PRESET, project=project, user=project.members.get(username="ada"))
    claim = lifecycle.claim_data(DataSet, DataSet.objects.get(name="if_rows").pk, worker="host:1")
    assert claim is not None
    lifecycle.fail(claim, code="no_space", reason="found no space left")
    read_all(project)
    page = runner.get(PAGE).content.decode()
    assert "if_rows was not read: found no space left" in page
    assert "Read them again" in page
    runner.post(ADDRESS, {"preset": PRESET})
    assert DataSet.objects.get(name="if_rows").status == Status.QUEUED
    assert DataSet.objects.count() == len(NAMES)


def test_the_api_does_the_same(project: Project) -> None:
    client = a_client(project, Role.RUNNER)
    found = client.get(API).json()["results"]
    assert [(sample["name"], sample["is_ready"], sample["data_set"]) for sample in found] == [
        (name, False, None) for name in NAMES
    ]
    answer = client.post(API)
    assert answer.status_code == 202
    assert {sample["data_set"]["status"] for sample in answer.json()["results"]} == {"queued"}
    read_all(project)
    assert all(sample["is_ready"] for sample in client.get(API).json()["results"])
    document = client.get(f"/api/v1/presets/{PRESET}/").json()["document"]
    assert client.post("/api/v1/projects/team/recipes/", document, format="json").status_code == 201
    assert client.post("/api/v1/projects/team/presets/none/samples/").status_code == 404
    assert client.get("/api/v1/projects/team/presets/tiny-cascade/samples/").json()["results"] == []


def test_a_recipe_without_its_rows_is_told_where_they_are(project: Project) -> None:
    with pytest.raises(RecipeError, match="sample rows of the preset small-real: choose it under New run"):
        pin_data_sets(load_preset(PRESET).model_dump(mode="json"), project)


def test_a_preset_that_there_is_not_is_not_found(runner: Client) -> None:
    assert runner.post(ADDRESS, {"preset": "none"}).status_code == 404


def test_a_visitor_may_not(project: Project) -> None:
    assert APIClient().post(API).status_code == 401

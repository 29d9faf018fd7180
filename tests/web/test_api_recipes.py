"""Recipes over the API: saved in versions, refused with the field that is wrong, read as JSON and YAML."""

import json

import pytest
import yaml
from rest_framework.test import APIClient

from runs.models import Project, Recipe, Role
from runs.presets import preset_text
from tests.web.some_clients import a_client
from tests.web.some_runs import a_recipe
from workers.recipe_text import dump_recipe, load_recipe

pytestmark = pytest.mark.django_db

RECIPES = "/api/v1/projects/team/recipes/"


@pytest.fixture
def client(project: Project) -> APIClient:
    return a_client(project, Role.RUNNER)


def test_a_recipe_is_saved_and_read_back(client: APIClient) -> None:
    document = a_recipe().model_dump(mode="json")
    saved = client.post(RECIPES, document)
    assert saved.status_code == 201
    read = client.get(saved["Location"])
    assert read.json() == saved.json()
    assert read.json()["document"] == document
    assert (read.json()["name"], read.json()["version"], read.json()["created_by"]) == ("small", 1, "a-runner")
    assert read.json()["id"].startswith("rec_")


def test_settings_left_out_come_back_at_their_defaults(client: APIClient) -> None:
    stage = {"kind": "sft", "name": "sft", "domains": {"stem": 1}, "steps": 5, "learning_rate": 1e-3}
    document = client.post(RECIPES, {"name": "least", "stages": [stage]}).json()["document"]
    assert document["stages"][0]["batch_size"] == 64
    assert len(document["benchmarks"]) == 8


def test_yaml_goes_in_and_out_without_loss(client: APIClient) -> None:
    text = dump_recipe(a_recipe(description="für später: \N{SNOWMAN}"))
    saved = client.post(RECIPES, text.encode(), content_type="application/yaml")
    assert saved.status_code == 201, saved.content
    read = client.get(saved["Location"], HTTP_ACCEPT="application/yaml")
    assert read["Content-Type"] == "application/yaml; charset=utf-8"
    assert load_recipe(read.content.decode()) == load_recipe(text)
    assert list(yaml.safe_load(read.content)) == list(yaml.safe_load(text)), "fields stand in the spec's order"


def test_a_change_is_a_new_version_and_no_change_is_none(client: APIClient) -> None:
    first = client.post(RECIPES, a_recipe().model_dump(mode="json")).json()
    again = client.post(RECIPES, a_recipe().model_dump(mode="json")).json()
    changed = client.post(RECIPES, a_recipe(seed=5).model_dump(mode="json")).json()
    assert again["id"] == first["id"]
    assert (changed["version"], changed["id"] == first["id"]) == (2, False)


def test_a_broken_rule_names_its_field(client: APIClient) -> None:
    document = a_recipe().model_dump(mode="json")
    document["stages"][2]["teachers"] = {"stem": "nobody"}
    response = client.post(RECIPES, document)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_recipe")
    [error] = response.json()["errors"]
    assert (error["path"], error["field"]) == ("/stages/2/teachers/stem", "stages[2].teachers.stem")
    assert error["code"] == "rule"
    assert "pick one of" in error["message"]
    assert not Recipe.objects.exists()


def test_every_wrong_field_is_named_at_once(client: APIClient) -> None:
    document = a_recipe().model_dump(mode="json") | {"sede": 1}
    document["stages"][1] |= {"steps": 0, "a/b~c": 1}
    errors = {error["path"]: error["code"] for error in client.post(RECIPES, document).json()["errors"]}
    expected = {
        "/sede": "extra_forbidden",
        "/stages/1/a~1b~0c": "extra_forbidden",
        "/stages/1/steps": "greater_than_equal",
    }
    assert errors == expected


def test_an_error_in_yaml_names_its_line(client: APIClient) -> None:
    text = dump_recipe(a_recipe()).replace("seed: 0", "seed: soon")
    [error] = client.post(RECIPES, text.encode(), content_type="application/yaml").json()["errors"]
    assert (error["path"], text.splitlines()[error["line"] - 1]) == ("/seed", "seed: soon")


@pytest.mark.parametrize("body", [b'"a text"', b"[]", b"null", b"3"])
def test_json_that_is_no_recipe(client: APIClient, body: bytes) -> None:
    response = client.post(RECIPES, body, content_type="application/json")
    assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "")


def test_text_that_the_database_cannot_hold_is_refused(client: APIClient) -> None:
    for text in ("a \x00 b", "a \ud800 b"):
        document = json.dumps(a_recipe().model_dump(mode="json") | {"description": text})
        response = client.post(RECIPES, document, content_type="application/json")
        assert response.status_code == 422, text
        assert response.json()["errors"][0]["field"] == "description"


def test_the_schema_of_a_recipe_tells_all_of_a_field(client: APIClient) -> None:
    schema = client.get("/api/v1/schemas/recipe/").json()
    steps = schema["$defs"]["GRPOSpec"]["properties"]["steps"]
    assert steps["minimum"] == 1
    assert (steps["unit"], steps["source"]) == ("steps", "C2 Tables 8-10")


def test_presets_are_read_with_their_comments(client: APIClient) -> None:
    names = [preset["name"] for preset in client.get("/api/v1/presets/").json()["results"]]
    assert names[0] == "tiny-cascade"
    read = client.get("/api/v1/presets/tiny-cascade/?format=yaml")
    assert read.content.decode() == preset_text("tiny-cascade")
    document = client.get("/api/v1/presets/tiny-cascade/").json()["document"]
    assert client.post(RECIPES, document).status_code == 201

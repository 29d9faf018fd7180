"""The API's own description: complete, as it is in docs/openapi.yaml, in the model's words."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.urls import reverse

from runs.api.recipes import SMALLEST
from runs.models import Role, Status
from tests.web.some_clients import a_client
from tests.web.some_runs import a_project
from workers.recipe_text import check_recipe

WRITTEN = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"


@pytest.fixture
def schema() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WRITTEN.read_text())
    return found


@pytest.fixture
def operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in schema["paths"].values() for operation in methods.values()]


def test_the_written_schema_is_todays(tmp_path: Path) -> None:
    call_command("spectacular", file=str(tmp_path / "openapi.yaml"), validate=True, fail_on_warn=True)
    remedy = "run: manage.py spectacular --file docs/openapi.yaml --validate --fail-on-warn"
    assert (tmp_path / "openapi.yaml").read_text() == WRITTEN.read_text(), remedy


def test_the_schema_is_of_openapi_3_1(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")


def test_statuses_are_the_models_words(schema: dict[str, Any]) -> None:
    assert schema["components"]["schemas"]["StatusEnum"]["enum"] == Status.values
    assert schema["components"]["schemas"]["RoleEnum"]["enum"] == Role.values


def test_every_operation_explains_itself(operations: list[dict[str, Any]]) -> None:
    assert len(operations) >= 25
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"], operation
        assert not operation["summary"].endswith("."), operation["summary"]
        assert operation["responses"]["401"]["content"].keys() == {"application/problem+json"}
        for status, answer in operation["responses"].items():
            assert "content" in answer or status == "204", (operation["operationId"], status)
        for parameter in operation.get("parameters", []):
            assert parameter["in"] == "path" or parameter["description"], (operation["operationId"], parameter["name"])


def test_a_recipe_may_leave_out_what_has_a_default(schema: dict[str, Any]) -> None:
    assert schema["components"]["schemas"]["RecipeSpec"]["required"] == ["name", "stages"]


def test_the_example_is_a_recipe() -> None:
    assert check_recipe(SMALLEST).name == "smallest"


@pytest.mark.django_db
def test_the_page_that_shows_it_needs_no_inline_script() -> None:
    client = a_client(a_project(), Role.VIEWER)
    page = client.get(reverse("api-docs"))
    assert page.status_code == 200
    assert page.content.decode().count("<script") == page.content.decode().count("<script src=")
    script = client.get(f"{reverse('api-docs')}?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert reverse("api-schema") in script.content.decode().replace("\\u002D", "-")

"""Models in a real browser: a real folder is registered, looked at by a real process, and picked in the composer."""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect

from runs.models import Project
from tests.browser.served import sign_in
from tests.web.some_models import a_trainable_folder
from tests.web.some_runs import a_project
from workers import data_tasks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]


@pytest.fixture
def project(settings: Any, tmp_path: Path) -> Project:
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    return a_project()


@pytest.fixture
def address(project: Project, page: Page, address: str) -> str:
    sign_in(page, address, project.members.get())
    return address


def look_at(pk: int) -> None:
    """Do what a worker does, in a thread of its own: the test's has the browser's event loop."""

    def work() -> None:
        data_tasks.inspect_model(pk)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(timeout=60)


def test_a_folder_is_registered_looked_at_and_picked(address: str, page: Page, project: Project) -> None:
    a_trainable_folder("small")
    page.goto(f"{address}/projects/team/models/")
    page.get_by_role("link", name="Register a model").click()
    page.get_by_label("Folder").select_option("small")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    look_at(project.registered_models.get().pk)
    expect(page.locator(".verdict")).to_contain_text(
        "Qwen3ForCausalLM, 28 k parameters in float32, 256 tokens of context"
    )
    page.goto(f"{address}/projects/team/new/?preset=tiny-cascade")
    page.get_by_label("Base model").select_option("folder:small")
    expect(page.locator("#model-facts")).to_contain_text("256 tokens of context")
    expect(page.locator("#f-model-max_positions")).to_have_value("256")
    expect(page.locator("#preview")).to_contain_text("model: {kind: folder, folder: small, max_positions: 256}")
    page.locator("#f-model-max_positions").fill("512")
    page.locator("#f-model-max_positions").press("Tab")
    expect(page.locator("#problems")).to_contain_text("expected at most 256, the context length of small")
    page.locator("#f-model-max_positions").fill("128")
    page.locator("#f-model-max_positions").press("Tab")
    expect(page.locator("#launch")).not_to_have_attribute("aria-disabled", "true")

"""Rows of one's own in a real browser: uploaded, read while the page waits, and put into a recipe that is checked."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from runs.models import DataSet, Project
from tests.browser.served import sign_in
from tests.web.some_data import ROWS, a_data_set, lines, read_rows
from tests.web.some_runs import a_project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]
BAD = ["no json", json.dumps({"prompt": "say x", "verifier": "nobody"})]


@pytest.fixture
def project() -> Project:
    return a_project()


@pytest.fixture
def address(project: Project, page: Page, address: str) -> str:
    sign_in(page, address, project.members.get())
    return address


def test_from_a_file_to_a_recipe(address: str, page: Page, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(lines([*ROWS, *BAD]))
    page.goto(f"{address}/projects/team/data/")
    page.get_by_role("link", name="Register rows").first.click()
    page.fill("[name=name]", "words")
    page.set_input_files("[name=file]", file)
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.locator("#registration")).to_contain_text("Waiting for a worker")

    read_rows(DataSet.objects.get())
    # the page comes back by itself
    expect(page.locator(".verdict")).to_have_text("100 rows can be used, 2 cannot (2.0 %).")
    bad = page.locator("#bad-rows").locator("xpath=..")
    expect(bad).to_contain_text("found verifier 'nobody', expected one of:")

    page.get_by_role("link", name="Use in a recipe").click()
    expect(page.locator("#preview")).to_contain_text("words:")
    expect(page.locator("#problems")).to_be_empty()
    expect(page.locator("#launch")).not_to_have_attribute("aria-disabled", "true")


def test_what_is_wrong_with_a_form_is_said_beside_its_field_and_nothing_is_lost(address: str, page: Page) -> None:
    page.goto(f"{address}/projects/team/data/new/")
    page.fill("[name=name]", "Words!")
    page.select_option("[name=use]", "train")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.locator("main")).to_contain_text("Found another kind of name")
    expect(page.locator("[name=name]")).to_have_value("Words!")
    expect(page.locator("[name=use]")).to_have_value("train")
    assert not DataSet.objects.exists()


def test_on_a_phone_what_it_holds_comes_before_its_rows(address: str, page: Page, project: Project) -> None:
    a_data_set(project)
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{address}/projects/team/data/own/v1/")
    facts, rows = page.locator("#holds").bounding_box(), page.locator("#rows").bounding_box()
    assert facts
    assert rows
    assert facts["y"] < rows["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

"""The composer in a real browser: checked while one types, moved by keys, and whole without a script."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from runs.models import Project, Run
from runs.presets import preset_text
from tests.browser.served import sign_in
from tests.web.some_runs import a_project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]
COMPOSE = "/projects/team/new/?preset=tiny-cascade"


@pytest.fixture
def project() -> Project:
    return a_project()


@pytest.fixture
def address(project: Project, page: Page, address: str) -> str:
    sign_in(page, address, project.members.get())
    return address


@pytest.fixture
def composer(address: str, page: Page) -> Page:
    page.goto(address + COMPOSE)
    return page


def test_a_wrong_value_is_said_at_once_and_the_focus_stays(composer: Page) -> None:
    composer.fill("#f-stages-1-steps", "many")
    composer.press("#f-stages-1-steps", "Tab")
    expect(composer.locator("#problems")).to_contain_text("Stage 2 · steps: found 'many', expected a whole number")
    expect(composer.locator("#f-stages-1-learning_rate")).to_be_focused()
    expect(composer.locator("#f-stages-1-steps")).to_have_value("many")
    composer.fill("#f-stages-1-steps", "61")
    composer.press("#f-stages-1-steps", "Tab")
    expect(composer.locator("#problems")).to_be_empty()
    expect(composer.locator("#preview")).to_contain_text("steps: 61")


def test_pasted_text_is_checked_where_it_stands(address: str, page: Page) -> None:
    page.goto(f"{address}/projects/team/new/?paste")
    expect(page.locator("#launch")).to_have_attribute("aria-disabled", "true")
    page.fill("#f-text", preset_text("tiny-reward-hacking"))  # the field keeps the focus
    expect(page.locator("#preview")).to_contain_text("name: tiny-reward-hacking")
    expect(page.locator("#launch")).not_to_have_attribute("aria-disabled", "true")
    page.keyboard.type("nonsense: 1")
    expect(page.locator("#problems")).to_contain_text("nonsense")
    expect(page.locator("#f-text")).to_be_focused()


def test_what_is_typed_while_an_answer_is_under_way_stays(composer: Page) -> None:
    composer.fill("#f-seed", "5")
    composer.press("#f-seed", "Tab")
    composer.fill("#f-stages-0-steps", "601")  # no change event yet: the field keeps the focus
    composer.wait_for_timeout(800)
    expect(composer.locator("#f-stages-0-steps")).to_have_value("601")
    composer.press("#f-stages-0-steps", "Tab")
    expect(composer.locator("#preview")).to_contain_text("steps: 601")
    expect(composer.locator("#preview")).to_contain_text("seed: 5")


def test_keys_move_a_stage_with_focus_and_open_folds(composer: Page) -> None:
    composer.click("#fold-more-if_rl > summary")
    composer.focus("#f-stages-1-kl_coefficient")
    composer.keyboard.press("Alt+ArrowDown")
    expect(composer.locator("#f-stages-2-name")).to_have_value("if_rl")
    expect(composer.locator("#f-stages-2-kl_coefficient")).to_be_focused()
    assert composer.locator("#fold-more-if_rl").get_attribute("open") is not None
    composer.keyboard.press("Alt+ArrowUp")
    expect(composer.locator("#f-stages-1-kl_coefficient")).to_be_focused()


def test_a_value_typed_just_before_a_move_goes_with_its_stage(composer: Page) -> None:
    composer.fill("#f-stages-1-steps", "77")
    composer.click("#stage-1-down")
    expect(composer.locator("#f-stages-2-steps")).to_have_value("77")
    expect(composer.locator("#f-stages-1-steps")).to_have_value("80")


def test_two_clicks_launch_one_run(composer: Page) -> None:
    composer.dblclick("#launch")
    composer.wait_for_url("**/runs/1/")
    assert Run.objects.count() == 1


def test_all_of_it_works_without_a_script(address: str, project: Project, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, address, project.members.get())
    page.goto(address + COMPOSE)
    page.click("#stage-1-down")
    assert page.url.endswith("#stage-2")
    expect(page.locator("#f-stages-2-name")).to_have_value("if_rl")
    page.fill("#f-seed", "x")
    page.click("#launch")
    expect(page.locator("#problems")).to_contain_text("found 'x'")
    page.click("#problems a")
    page.fill("#f-seed", "3")
    page.click("#show-yaml")
    expect(page.locator("#f-text")).to_have_value(re.compile("seed: 3"))
    page.click("#launch")
    page.wait_for_url("**/runs/1/")
    assert Run.objects.get().document["seed"] == 3
    context.close()


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_is_wider_than_the_screen(width: int, composer: Page) -> None:
    composer.set_viewport_size({"width": width, "height": 844})
    for fold in composer.locator("details.fold > summary").all()[:4]:
        fold.click()
    assert composer.evaluate("document.documentElement.scrollWidth") <= width

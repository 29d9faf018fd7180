"""Comparing runs in a real browser: from ticks in the list to curves over each other."""

import pytest
from playwright.sync_api import Page, expect

from runs.models import Run
from tests.browser.served import sign_in
from tests.web.some_runs import a_project, a_recipe, a_run, finish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]


@pytest.fixture
def run() -> Run:
    """The first of two runs that have two stages scored."""
    run = a_run(a_project())
    finish(run, "warm", "if_rl")
    finish(a_run(run.project, spec=a_recipe(seed=7), name="other"), "warm", "if_rl")
    return run


def test_runs_are_ticked_and_compared_by_keyboard(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/")
    expect(page.locator("[data-live-indicator]")).to_have_text("live")
    for number in (1, 2):
        page.locator(f"#tick-{number}").focus()
        page.keyboard.press("Space")
    finish(run, "mopd")  # the list is renewed, and the ticks stay
    expect(page.locator("#run-1")).to_contain_text("succeeded")
    expect(page.locator("#tick-1")).to_be_checked()
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Last checkpoints")).to_be_visible()
    assert "run=2&run=1" in page.url
    page.locator("#overlay").scroll_into_view_if_needed()
    page.locator("#overlay .main-svg").first.wait_for()
    page.get_by_role("link", name="Make baseline").click()
    expect(page.locator("#difference-title")).to_contain_text("other #2 − small #1")


def test_a_phone_scrolls_tables_and_not_the_page(page: Page, address: str, run: Run) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/compare/?run=1&run=2")
    expect(page.get_by_role("heading", name="Settings that differ")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390

"""The drift page on paper: A4, light, with all plots drawn and nothing that can only be clicked."""

import re

import pytest
from playwright.sync_api import Page, expect

from runs.models import Run
from tests.browser.served import sign_in
from tests.web.some_runs import a_project, a_run, finish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]
INK = {"light": "rgb(28, 33, 38)", "dark": "rgb(230, 233, 237)"}  # of the plots' two themes
# Runs after the page's own: what stands on the sheet as it is printed.
SEEN = """addEventListener("beforeprint", () => {
  const boxes = [...document.querySelectorAll("[data-plot-url]")].filter((box) => box.checkVisibility());
  window.printed = {
    undrawn: boxes.filter((box) => !box.querySelector(".main-svg")).length,
    panels: document.querySelectorAll("#curves .main-svg .annotation-text").length,
    ink: getComputedStyle(document.querySelector("#curves .annotation-text")).fill,
    width: document.getElementById("curves").clientWidth,
  };
})"""


@pytest.fixture
def run() -> Run:
    run = a_run(a_project())
    finish(run, "warm", "if_rl", "mopd")
    return run


def test_a_dark_page_prints_light_and_whole_and_goes_on_dark(page: Page, address: str, run: Run) -> None:
    page.emulate_media(color_scheme="dark")
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/")  # its plots are out of sight, and not drawn
    page.wait_for_load_state("load")
    page.evaluate(SEEN)
    paper = page.pdf(prefer_css_page_size=True, print_background=True)
    printed = page.evaluate("window.printed")
    assert printed["undrawn"] == 0
    assert printed["panels"] >= 2
    assert (printed["ink"], printed["width"]) == (INK["light"], 680)
    sheets = {(round(float(w)), round(float(h))) for w, h in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", paper)}
    assert sheets == {(595, 842)}  # A4 in points
    page.locator("#curves").scroll_into_view_if_needed()
    expect(page.locator("#curves .annotation-text").first).to_have_css("fill", INK["dark"])
    assert page.locator("#curves").evaluate("box => box.clientWidth") > 680


def test_paper_has_no_controls_and_the_tables_behind_the_bars(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/?cell=if_rl:instructions")
    page.emulate_media(media="print")
    expect(page.locator("#recovery-mopd table")).to_be_visible()
    for gone in (".rail", ".tabs", ".segmented", "form", "button", ".how", "#matrix .unfolds"):
        assert page.locator(gone).evaluate_all("found => found.filter((each) => each.checkVisibility()).length") == 0, (
            gone
        )
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == ("rgb(255, 255, 255)")

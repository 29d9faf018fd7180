"""The drift page in a real browser: what is drawn, what a cell opens, and what stays while a run goes on."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from runs.models import ItemResult, Run
from tests.browser.served import sign_in
from tests.web.some_runs import a_project, a_run, finish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]
DRAWN = 10_000  # ms; the page draws in a fraction of it, on an idle machine


@pytest.fixture
def run() -> Run:
    """A finished run: sft, if_rl, mopd on two domains."""
    run = a_run(a_project())
    finish(run, "warm", "if_rl", "mopd")
    return run


def _open(page: Page, address: str, run: Run, query: str = "") -> Page:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/{query}")
    return page


def _cell(page: Page, stage: str, domain: str) -> Locator:
    return page.locator(f'.cell-link[href*="cell={stage}:{domain}"]')


def _drawn(page: Page, plot: str) -> Locator:
    """Bring a plot into sight and wait until it is there."""
    page.locator(plot).scroll_into_view_if_needed()
    drawing = page.locator(f"{plot} .main-svg").first
    drawing.wait_for(timeout=DRAWN)
    return drawing


def test_curves_and_recovery_are_drawn_without_a_word_on_the_console(page: Page, address: str, run: Run) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    _open(page, address, run)
    _drawn(page, "#curves")
    expect(page.locator("#curves")).to_contain_text("Instruction following")
    _drawn(page, "#bars-mopd")
    assert page.locator("#curves .scatterlayer .point").count() == 2 * 4
    expect(page.get_by_role("figure", name="Forgetting curves, one panel per domain")).to_be_visible()
    assert page.locator(".main-svg:not([aria-hidden])").count() == 0  # letters of axes are no text to listen to
    assert said == []


def test_each_domain_is_a_plot_of_its_own(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    _drawn(page, "#curves")
    expect(page.locator("#curves[data-drawn] > .plot-canvas")).to_have_count(2)
    tops = page.locator("#curves > .plot-canvas").evaluate_all("panels => panels.map((panel) => panel.offsetTop)")
    assert tops == [0, 0]  # side by side
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#curves .xtick text", has_text="if_rl")).to_have_count(1)  # the lowest alone names checkpoints
    tops = page.locator("#curves > .plot-canvas").evaluate_all("panels => panels.map((panel) => panel.offsetTop)")
    assert tops == [0, 230]


def test_matrix_and_curves_point_at_each_other(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    _drawn(page, "#curves")
    expect(page.locator("#curves[data-drawn]")).to_be_visible()
    first, second = (page.locator("#curves > .plot-canvas").nth(at) for at in (0, 1))
    _cell(page, "if_rl", "instructions").focus()
    expect(first.locator(".hoverlayer .hovertext")).to_contain_text("if_rl")
    expect(second.locator(".hoverlayer .hovertext")).to_have_count(0)
    _cell(page, "mopd", "stem").hover()
    expect(second.locator(".hoverlayer .hovertext")).to_contain_text("mopd")
    expect(first.locator(".hoverlayer .hovertext")).to_have_count(0)
    first.locator(".scatterlayer .point").last.hover(force=True)
    expect(page.locator(".matrix [data-pointed]")).to_have_count(1)
    expect(page.locator(".matrix [data-pointed] .cell-link")).to_have_attribute(
        "title", re.compile("mopd · Instruction")
    )
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#cell-title")).to_contain_text("Instruction following")


def test_a_cell_opens_its_flips_where_the_page_is(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    page.evaluate("window.isTheSamePage = true")
    _cell(page, "if_rl", "instructions").click()
    cell = page.locator("#cell")
    expect(page.locator("#cell-title")).to_contain_text("Instruction following")
    expect(cell).to_contain_text("since warm")
    expect(cell.locator(".flip").first).to_contain_text("lost")
    assert cell.locator(".flip").first.locator(".ribbon i").count() == 4
    cell.locator("#pair-before").select_option("base")
    expect(cell).to_contain_text("since base")
    assert page.url.endswith("/drift/?domain=instructions&before=base&after=if_rl#cell")
    page.get_by_role("link", name="vs start").click()
    expect(_cell(page, "if_rl", "instructions")).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(cell).to_contain_text("since base")
    cell.get_by_role("link", name="Close").click()
    expect(cell).to_contain_text("Open a cell of the matrix")
    assert page.evaluate("window.isTheSamePage")


def test_from_verdict_to_cause_to_item_in_three_clicks(page: Page, address: str, run: Run) -> None:
    for stage, value in (("if_rl", 1.0), ("mopd", 0.0)):
        items = ItemResult.objects.filter(score__checkpoint__stage__name=stage, score__benchmark__domain="stem")
        items.update(value=value, response=f"{value:g} 1")
    _open(page, address, run)
    expect(page.locator(".verdict")).to_be_visible()
    page.get_by_role("link", name="worst drop").click()
    cause = page.locator("#causes")
    expect(cause.get_by_role("heading")).to_contain_text("What mopd did")
    expect(cause.locator(".main-svg").first).to_be_visible(timeout=DRAWN)
    cause.get_by_text("Set up unlike").click()
    expect(cause.locator("table")).to_contain_text("kind")
    page.locator(".flips-filter a[href*='only=lost']").click()
    expect(page.locator(".flips-filter [aria-current]")).to_contain_text("Lost")
    expect(page.locator(".flip").first).to_contain_text("lost after")
    expect(page.locator(".flip mark").first).to_be_visible()


def test_teachers_go_from_the_page_into_the_composer(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    page.get_by_role("link", name="Use as MOPD teachers").click()
    expect(page.get_by_role("button", name="Launch")).to_be_enabled()


def test_arrow_keys_go_from_cell_to_cell(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    _cell(page, "base", "instructions").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(_cell(page, "if_rl", "stem")).to_be_focused()
    expect(page.locator("[data-cell-about]")).to_contain_text("if_rl · STEM")
    page.keyboard.press("ArrowRight")  # there is nothing beyond the last column
    expect(_cell(page, "if_rl", "stem")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#cell")).to_contain_text("STEM")
    assert page.locator('.cell-link[tabindex="0"]').count() == 1


def test_the_dark_theme_draws_anew(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    title = "#curves .annotation-text"
    _drawn(page, "#curves")
    light = page.locator(title).first.evaluate("text => getComputedStyle(text).fill")
    page.emulate_media(color_scheme="dark")
    expect(page.locator(title).first).not_to_have_css("fill", light, timeout=DRAWN)


def test_a_phone_scrolls_the_matrix_and_not_the_page(page: Page, address: str, run: Run) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    _open(page, address, run, "?cell=if_rl:instructions")
    drawn = _drawn(page, "#curves").bounding_box()
    _drawn(page, "#bars-mopd")
    assert drawn is not None
    assert 300 < drawn["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    first = page.locator(".matrix th[scope=row]").first
    before = first.bounding_box()
    page.locator(".matrix-scroll").evaluate("matrix => { matrix.style.width = '200px'; matrix.scrollLeft = 60; }")
    assert before is not None
    assert (after := first.bounding_box()) is not None
    assert after["x"] == before["x"]


def test_a_new_score_appears_and_what_is_open_stays_open(page: Page, address: str) -> None:
    run = a_run(a_project())
    finish(run, "warm")
    _open(page, address, run)
    expect(page.locator("[data-live-indicator]")).to_have_text("live")
    page.get_by_text("The matrix as a picture").click()
    drawing = _drawn(page, "#picture-score")
    page.get_by_text("How computed").first.click()
    drawing.evaluate("svg => { svg.dataset.mark = 'mine'; }")
    finish(run, "if_rl")
    expect(_cell(page, "if_rl", "stem")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("after 2 of 3 stages")
    expect(page.get_by_text("Mean of the last checkpoint's scores")).to_be_visible()
    expect(page.locator("#picture-score .main-svg").first).to_have_attribute("data-mark", "mine")
    expect(page.locator("#picture-score")).to_contain_text("if_rl")


def test_an_empty_page_fills_by_itself(page: Page, address: str) -> None:
    run = a_run(a_project())
    _open(page, address, run)
    expect(page.locator("#drift")).to_contain_text("Nothing is scored yet")
    expect(page.locator("[data-live-indicator]")).to_have_text("live")
    finish(run, "warm")
    expect(_cell(page, "warm", "stem")).to_be_visible()
    _drawn(page, "#curves")

"""Export in a real browser: pictures are saved as they are drawn, and the report opens again without any network."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from runs.models import Run
from tests.browser.served import sign_in
from tests.web.some_runs import a_project, a_run, finish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]


@pytest.fixture
def run() -> Run:
    run = a_run(a_project())
    finish(run, "warm", "if_rl", "mopd")
    return run


def test_the_report_opens_again_without_a_network(
    page: Page, address: str, run: Run, browser: Browser, tmp_path: Path
) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/?show=previous")
    verdict = page.locator(".verdict").inner_text()
    page.get_by_text("Export", exact=True).first.click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="One HTML file with live plots").click()
    path = tmp_path / "report.html"
    begun.value.save_as(path)

    offline = browser.new_context(offline=True)
    asked: list[str] = []
    faults: list[str] = []
    report = offline.new_page()
    report.on("request", lambda request: asked.append(request.url))
    report.on("pageerror", lambda error: faults.append(str(error)))
    report.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    report.goto(path.as_uri())
    expect(report.locator(".verdict")).to_have_text(verdict)
    expect(report.locator("#figure-curves .scatterlayer .point")).to_have_count(2 * 4)
    expect(report.locator("#figure-recovery-mopd .main-svg").first).to_be_visible()
    drawings = report.locator("#figure-curves .svg-container")
    assert len(set(drawings.evaluate_all("panels => panels.map((panel) => panel.clientWidth)"))) == 1
    assert report.locator(".matrix tbody tr").count() == 4
    point = report.locator("#figure-curves .scatterlayer .point").first.bounding_box()
    assert point is not None
    report.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    expect(report.locator("#figure-curves .hoverlayer text").first).to_be_visible()  # it is live
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert faults == []
    offline.close()


@pytest.mark.parametrize(("kind", "begins"), [("PNG", b"\x89PNG"), ("SVG", b"<svg")])
def test_a_picture_is_saved(page: Page, address: str, run: Run, kind: str, begins: bytes, tmp_path: Path) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/")
    page.locator("#export-curves summary").click()
    with page.expect_download() as begun:
        page.locator("#export-curves").get_by_role("button", name=kind).click()
    path = tmp_path / begun.value.suggested_filename
    begun.value.save_as(path)
    assert path.name == f"run-1-curves.{kind.lower()}"
    assert path.read_bytes().startswith(begins)


def test_the_link_to_a_view_shows_the_same_again(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/")
    page.get_by_role("link", name="vs a checkpoint").click()
    page.get_by_label("The checkpoint that changes are counted from").select_option("if_rl")
    page.locator('.cell-link[href*="against=if_rl"][href*="cell=mopd:stem"]').click()
    expect(page.locator("#cell")).to_contain_text("since if_rl")
    link = page.locator("#permalink").text_content()
    assert link is not None
    page.goto(link)
    expect(page.locator("#cell")).to_contain_text("since if_rl")
    expect(page.get_by_label("The checkpoint that changes are counted from")).to_have_value("if_rl")

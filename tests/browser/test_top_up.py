"""The journey of a top-up in a real browser: from an undecided cell to what it says with more answers."""

import pytest
from playwright.sync_api import Page, expect

from runs import lifecycle, ready
from runs.models import Run
from tests.browser.served import sign_in
from tests.web.some_runs import a_project, a_run, finish, top_up_all

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]


@pytest.fixture
def run() -> Run:
    """A finished run: sft, if_rl, mopd on two domains, one answer to each problem."""
    run = a_run(a_project())
    finish(run, "warm", "if_rl", "mopd")
    return run


def test_top_up_of_an_undecided_cell(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/")
    page.locator('.cell-link[href*="cell=if_rl:instructions"]').click()
    cell = page.locator("#cell")
    expect(cell).to_contain_text("within noise")
    cell.get_by_role("button", name="Top up to 4 answers each").click()
    expect(
        page.get_by_text("Queued: up to 4 answers to each problem from warm at step 6 and if_rl at step 6")
    ).to_be_visible()
    expect(cell.locator("#top-up")).to_contain_text("asked for by ada: waits for a free worker")
    expect(page.locator("[data-live-indicator]")).to_have_text("live")
    claim = lifecycle.claim_top_up(run.top_ups.get(checkpoint__stage__name="if_rl").pk, worker="host:3")
    assert claim is not None
    lifecycle.beat(claim, step=1, n_steps=3, substep="sample")
    ready.tend(run)  # tells the open page
    expect(cell.locator("#top-up progress")).to_have_attribute("value", "1")
    lifecycle.release(claim)
    page.evaluate("window.isTheSamePage = true")
    top_up_all(run)
    expect(cell).to_contain_text("n = 16, 4 answers to each")
    expect(cell).not_to_contain_text("waits for a free worker")
    assert page.evaluate("window.isTheSamePage")
    page.get_by_role("link", name="Audit log").first.click()
    expect(page.locator(".audit")).to_contain_text("asked for more answers to Instruction following in small #1")

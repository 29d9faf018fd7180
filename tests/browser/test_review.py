"""Review in a real browser: people talk about a cell and come to an end, and two of them sign a checkpoint off."""

import pytest
from playwright.sync_api import Page, expect

from runs.models import ItemResult, Role, Run, Thread
from runs.reviews import set_policy
from tests.browser.served import sign_in
from tests.web.some_runs import a_member, a_project, a_run, finish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]


@pytest.fixture
def run() -> Run:
    """A finished run: sft, if_rl, mopd on two domains; grace and alan may review it."""
    run = a_run(a_project())
    finish(run, "warm", "if_rl", "mopd")
    for name in ("grace", "alan"):
        a_member(run.project, name, Role.REVIEWER)
    return run


def _as(page: Page, address: str, run: Run, name: str) -> None:
    sign_in(page, address, run.project.members.get(username=name))


def test_comment_mention_resolve(page: Page, address: str, run: Run) -> None:
    _as(page, address, run, "ada")
    page.goto(f"{address}/projects/team/runs/1/drift/")
    page.locator('.cell-link[href*="cell=if_rl:stem"]').click()
    discussion = page.locator("#discussion")
    expect(discussion).to_contain_text("About if_rl · STEM")
    discussion.get_by_label("Comment", exact=True).fill("Why did this fall?\n@grace, have a look.")
    discussion.get_by_role("button", name="Comment").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("if_rl · STEM")
    expect(page.locator(".mention")).to_have_text("@grace")

    _as(page, address, run, "grace")
    page.goto(f"{address}/projects/team/runs/")
    inbox = page.get_by_role("link", name="Inbox")
    expect(inbox).to_contain_text("1")
    inbox.click()
    page.get_by_role("link", name="if_rl · STEM of small #1").click()
    page.get_by_label("Comment").last.fill("Noise: n = 16.")
    page.get_by_role("button", name="Reply").click()
    expect(page.locator(".history")).to_contain_text("Noise: n = 16.")
    expect(page.locator(".unread")).to_have_count(0)
    page.get_by_role("link", name="Show the place").click()
    dotted = page.locator("td[data-discussed]")
    expect(dotted).to_have_count(1)
    page.locator("#discussion").get_by_role("link", name="if_rl · STEM").click()
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator("h1 + .status, .page-title .status")).to_contain_text("resolved")
    assert Thread.objects.get().resolved_by == run.project.members.get(username="grace")
    page.get_by_role("link", name="Show the place").click()
    expect(page.locator("#matrix")).to_be_visible()
    expect(page.locator("td[data-discussed]")).to_have_count(0)


def test_two_approve_and_a_new_score_makes_it_stale(page: Page, address: str, run: Run) -> None:
    set_policy(run.project, n_approvals=2, required=[run.project.members.get(username="grace")], by=run.created_by)
    _as(page, address, run, "ada")
    page.goto(f"{address}/projects/team/runs/1/drift/")
    page.get_by_text("Propose a checkpoint").click()
    page.get_by_label("Note", exact=True).fill("All domains are up.")
    page.get_by_role("button", name="Propose for promotion").click()
    expect(page.locator(".verdict")).to_have_text("It waits for the approval of grace and 1 other approval.")
    proposal = page.url
    for name in ("alan", "grace"):
        _as(page, address, run, name)
        page.goto(proposal)
        page.get_by_label("Verdict", exact=True).select_option("approve")
        page.get_by_role("button", name="Give verdict").click()
        expect(page.locator(".history")).to_contain_text(f"{name} approved")

    _as(page, address, run, "ada")
    page.goto(proposal)
    expect(page.locator(".page-title .status")).to_have_text("approved")
    page.get_by_role("button", name="Promote").click()
    expect(page.locator(".page-sub .chip")).to_have_text("production")
    ItemResult.objects.filter(score__checkpoint__stage__name="mopd", item=0).update(value=0.25)
    page.reload()
    expect(page.locator(".page-title")).to_contain_text("stale")
    expect(page.locator(".stale-changes li").first).to_contain_text("problems graded differently")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="Drift").click()
    expect(page.locator("#sign-off")).to_contain_text("stale")
    assert page.evaluate("document.documentElement.scrollWidth") == 390

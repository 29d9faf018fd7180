"""A gate in a real browser: it is written into a recipe, holds the run, a reviewer approves, and the run goes on."""

import pytest
from playwright.sync_api import Page, expect

from runs.models import ItemResult, Role, Run
from tests.browser.served import sign_in
from tests.web.some_runs import DOMAINS, a_member, a_project, a_recipe, a_run, finish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]
GATE = {"after": "if_rl", "domain": "stem", "drop": 5.0, "then": "hold"}


@pytest.fixture
def run() -> Run:
    """A run that its gate holds before the last stage; grace may review it."""
    benchmarks = [{"domain": name, "n_problems": 64, "n_validation": 8} for name in DOMAINS]
    run = a_run(a_project(), spec=a_recipe(gates=[GATE], benchmarks=benchmarks))
    a_member(run.project, "grace", Role.REVIEWER)
    finish(run, "warm")
    ItemResult.objects.filter(score__checkpoint__run=run).update(value=1.0)
    finish(run, "if_rl")
    return run


def _is_live(page: Page) -> None:
    """Wait until the page hears events: to leave it while its stream is being opened leaves a request half done."""
    expect(page.locator("[data-live-indicator]")).to_have_text("live")


def test_a_gate_holds_a_reviewer_approves_and_the_run_goes_on(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.project.members.get(username="grace"))
    page.goto(f"{address}/projects/team/runs/")
    expect(page.locator("#run-1")).to_contain_text("awaiting review")
    _is_live(page)
    page.get_by_role("link", name="Inbox").click()
    expect(page.locator(".threads")).to_contain_text("A gate holds a run until somebody approves: small #1")
    page.get_by_role("link", name="small #1").click()
    held = page.locator("#held")
    expect(held).to_contain_text("Held by a gate")
    expect(held).to_contain_text("STEM may not lose more than 5 points")
    _is_live(page)
    page.get_by_role("link", name="Drift").click()
    expect(page.locator("#held")).to_contain_text("after if_rl, STEM changed by −")
    expect(page.locator("#gates")).to_contain_text("held the run")
    _is_live(page)
    page.get_by_role("button", name="Approve and go on").click()
    expect(page.get_by_text("Approved. The next stage starts as soon as a worker is free.")).to_be_visible()
    expect(page.locator("#held")).to_have_count(0)
    expect(page.locator("#overview")).to_contain_text("Approved by grace")
    _is_live(page)
    finish(run, "mopd")
    expect(page.locator(".page-title .status")).to_contain_text("succeeded")


def test_a_gate_is_written_into_a_recipe(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/new/?preset=tiny-cascade")
    page.get_by_role("button", name="Add gate").click()
    gate = page.locator("#f-gates-0")
    gate.get_by_label("After").select_option("code_rl")
    gate.get_by_label("Then").select_option("hold")
    gate.get_by_label("Significant").uncheck()
    expect(page.locator("#problems")).to_contain_text("which noise alone trips half of the time")
    gate.get_by_label("Drop").fill("4")
    gate.get_by_label("Drop").blur()
    expect(page.locator("#problems")).not_to_contain_text("noise alone")
    expect(page.locator("#preview")).to_contain_text("then: hold")
    page.get_by_role("button", name="Remove gate 1").click()
    expect(page.locator("#f-gates-0")).to_have_count(0)

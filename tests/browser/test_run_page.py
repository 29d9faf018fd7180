"""The run page in a real browser, while its run goes on."""

import time

import pytest
from playwright.sync_api import Page, expect

from runs import events, ingest, lifecycle, resolve
from runs.lifecycle import Claim
from runs.models import Metric, Role, Run, Stage
from tests.browser.served import sign_in
from tests.web.some_runs import a_member, a_project, a_run, begin, finish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]


@pytest.fixture
def run() -> Run:
    """A run whose second stage is at step 2."""
    run = a_run(a_project(), name="otter")
    finish(run, "warm")
    claim = begin(run, "if_rl", step=1)
    resolve.write_stage_spec(run.stages.get(name="if_rl"))
    _reach(claim, 2)
    return run


def _reach(claim: Claim, step: int) -> None:
    """Bring a stage to a step, as its worker does: metrics, log, rows, event."""
    stage = claim.work
    assert isinstance(stage, Stage)
    Metric.objects.bulk_create(
        [Metric(stage=stage, step=step, name=name, value=0.1 * step) for name in ("reward", "loss", "entropy")]
    )
    with open(ingest.stage_folder(stage).log, "a") as log:
        log.write("".join(f"step {step}, line {line}\n" for line in range(60)))
    assert lifecycle.beat(claim, step=step, reward=0.1 * step, substep="sample", eta_s=9.0)
    events.publish(stage.run.public_id, "steps")


def _claim(run: Run) -> Claim:
    return Claim(run.stages.get(name="if_rl"), 1)


def _wait_until(page: Page, expression: str) -> None:
    """As `page.wait_for_function`, which our content policy forbids: it evaluates text inside the page."""
    deadline = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"still not: {expression}"
        page.wait_for_timeout(50)


def _open(page: Page, address: str, run: Run, path: str = "1/") -> Page:
    page.context.clear_cookies()
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/{path}")
    expect(page.locator("[data-live-indicator]")).to_have_text("live")
    return page


def test_what_a_worker_does_appears_by_itself(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    expect(page.locator(".verdict")).to_contain_text("step 2 of 6")
    _reach(_claim(run), 3)
    expect(page.locator(".verdict")).to_contain_text("step 3 of 6")
    expect(page.locator("#line-if_rl")).to_contain_text("0.300")
    expect(page.locator(".log")).to_contain_text("step 3, line 59")


def test_a_renewed_page_keeps_focus_scroll_and_what_is_open(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    page.get_by_text("Spec as YAML").click()
    page.get_by_text("Cancel…").click()
    page.locator("#line-mopd a").focus()
    page.evaluate("scrollTo(0, 120)")
    _reach(_claim(run), 3)
    expect(page.locator(".verdict")).to_contain_text("step 3 of 6")
    assert page.evaluate("document.activeElement.textContent.trim()") == "mopd"
    assert page.evaluate("scrollY") == 120
    expect(page.get_by_role("button", name="Cancel otter #1")).to_be_visible()
    expect(page.get_by_text("learning_rate: 0.001")).to_be_visible()


def test_a_curve_grows_and_keeps_its_zoom(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    plot = "document.querySelector('.plot-canvas')"
    page.locator(".curves").scroll_into_view_if_needed()
    _wait_until(
        page, f"{plot}?.closest('[data-drawn]') && {plot}.data.at(-1).x.length === 1"
    )  # else the first draw takes it back
    page.evaluate(f"async () => {{ await Plotly.relayout({plot}, {{'xaxis.range': [0, 42]}}); }}")
    _reach(_claim(run), 3)
    _wait_until(page, f"{plot}.data.at(-1).x.length === 2")
    assert page.evaluate(f"{plot}.layout.xaxis.range") == [0, 42]


def test_the_log_follows_until_somebody_reads_back(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    _reach(_claim(run), 3)
    expect(page.locator(".log")).to_contain_text("step 3, line 59")
    assert (
        page.evaluate("(log => log.scrollHeight - log.scrollTop - log.clientHeight)(document.querySelector('.log'))")
        < 2
    )
    page.locator(".log").evaluate("log => { log.scrollTop = 0; }")
    expect(page.get_by_label("Follow")).not_to_be_checked()
    _reach(_claim(run), 4)
    expect(page.locator(".verdict")).to_contain_text("step 4 of 6")
    expect(page.locator(".log")).not_to_contain_text("step 4, line 59")
    page.get_by_label("Follow").check()
    expect(page.locator(".log")).to_contain_text("step 4, line 59")


def test_buttons_follow_the_status_and_cancelling_asks_first(page: Page, address: str, run: Run) -> None:
    _open(page, address, run)
    lifecycle.pause(run)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    expect(page.locator("#run-status")).to_contain_text("paused")
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel otter #1").click()
    expect(page.locator(".toast")).to_contain_text("Cancelled. Checkpoints and scores stay.")
    expect(page.locator("#run-status")).to_contain_text("cancelled")


def test_the_list_is_renewed_too(page: Page, address: str, run: Run) -> None:
    _open(page, address, run, "")
    expect(page.locator("#run-1")).to_contain_text("2/3 · step 2/6 · sample")
    _reach(_claim(run), 3)
    expect(page.locator("#run-1")).to_contain_text("2/3 · step 3/6 · sample")
    a_run(run.project, name="heron")
    events.publish(Run.objects.get(name="heron").public_id, "stages")
    expect(page.locator("#run-2")).to_contain_text("heron")


def test_without_redis_the_page_polls(page: Page, address: str, run: Run, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/")
    expect(page.locator("[data-live-indicator]")).to_have_text("polling", timeout=10_000)
    lifecycle.beat(_claim(run), step=5)
    expect(page.locator(".verdict")).to_contain_text("step 5 of 6", timeout=6_000)


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_window(page: Page, address: str, run: Run, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for path in ("", "1/"):
        _open(page, address, run, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_works_without_a_script(browser, address: str, run: Run) -> None:
    viewer = a_member(run.project, "vic", Role.VIEWER)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for user, words in ((run.created_by, "Cancel…"), (viewer, "Your role is viewer")):
        sign_in(page, address, user)
        page.goto(f"{address}/projects/team/runs/1/")
        expect(page.get_by_text(words)).to_be_visible()
        expect(page.locator(".log")).to_contain_text("step 2, line 59")
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/")
    page.get_by_text("Cancel…").click()
    page.get_by_role("button", name="Cancel otter #1").click()
    expect(page.locator("#run-status")).to_contain_text("cancelled")
    context.close()

"""A benchmark is added to a finished run in a real browser, and a task to a recipe."""

import pytest
from playwright.sync_api import Page, expect

from runs.models import Run
from tests.browser.served import sign_in
from tests.web.some_runs import a_project, a_run, finish, score_added

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore:StreamingHttpResponse must")]


@pytest.fixture
def run() -> Run:
    run = a_run(a_project())
    finish(run, "warm", "if_rl", "mopd")
    return run


def test_a_benchmark_is_added_and_becomes_a_column(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/runs/1/drift/")
    section = page.locator("#added")
    section.get_by_text("Add a benchmark").click()
    section.get_by_label("Domain or data set").select_option("tools")
    section.get_by_label("Problems").fill("16")
    section.get_by_label("More settings").fill("n_validation: 8\nmetric: pass\nk: 2\nsamples_per_problem: 4")
    section.get_by_label("base").uncheck()
    section.get_by_role("button", name="Add and score").click()
    expect(page.get_by_text("tools: 3 checkpoints to score.")).to_be_visible()
    expect(section).to_contain_text("Tool calling, added by ada: 0 of 4 checkpoints scored, 3 queued.")
    score_added(run)
    page.reload()
    expect(section).to_contain_text("3 of 4 checkpoints scored")
    expect(page.locator("#matrix thead")).to_contain_text("pass@2")
    page.locator('.cell-link[href*="cell=if_rl:tools"]').click()
    expect(page.locator("#cell")).to_contain_text("Protocol")
    section.get_by_role("button", name="Score the rest").click()
    expect(page.get_by_text("tools: 1 checkpoint to score.")).to_be_visible()


def test_a_task_is_put_into_a_recipe(page: Page, address: str, run: Run) -> None:
    sign_in(page, address, run.created_by)
    page.goto(f"{address}/projects/team/new/?preset=tiny-cascade")
    page.get_by_role("button", name="Add lm-eval task").click()
    box = page.locator("section.box", has_text="lm-eval: new task")
    expect(page.get_by_text("Nothing yet: name the task you added")).to_be_visible()
    expect(box).not_to_contain_text("expected the name")  # nobody has had time to name it
    box.get_by_label("Task", exact=True).fill("no_such_task")
    box.get_by_label("Task folder").fill("nowhere")
    page.get_by_role("button", name="Add gate").click()  # any button reads the form
    box = page.locator("section.box", has_text="lm-eval: no_such_task")
    expect(box).to_contain_text("have TASKS_DIRS name the folders that may be read")
    box.get_by_role("button", name="Remove no_such_task").click()
    expect(page.get_by_text("lm-eval: no_such_task")).to_have_count(0)

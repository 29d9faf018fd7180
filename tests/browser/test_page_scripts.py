"""What the scripts of a page promise, on a page that is served to the browser by the test itself."""

import json
import mimetypes
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

Answers = dict[str, Callable[[Route], None]]
STATIC = Path(__file__).parents[2] / "static"
ORIGIN = "http://cascade.test"
POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'"
HTML = """<!doctype html><head><link rel="stylesheet" href="/static/cascade.css"><script src="/static/theme.js"></script>
<body data-live-url="/live"><span data-live-indicator hidden></span>
<a href="#runs" data-keys="g r">Runs</a><input aria-label="Name"><button data-theme-choice="dark">Dark</button>
<b hx-get="/part" hx-trigger="live from:body throttle:500ms">old</b>
<div class="plot" data-plot-url="/figure"></div>
<dialog id="shortcuts"><dl class="keys"></dl><form method="dialog"><button>Close</button></form></dialog>
<script src="/static/vendor/htmx.min.js" defer></script><script src="/static/live.js" defer></script>
<script src="/static/keys.js" defer></script><script src="/static/vendor/plotly-basic.min.js" defer></script>
<script src="/static/plots.js" defer></script>"""


def figure(heights: list[int]) -> str:
    return json.dumps({"data": [{"type": "scatter", "y": heights}], "layout": {"height": 5000}})


@pytest.fixture
def answers(page: Page) -> Answers:
    """Answer the page's requests; a test changes what it needs. The event stream is refused."""
    answers: Answers = {
        "/": lambda route: route.fulfill(
            body=HTML, content_type="text/html", headers={"Content-Security-Policy": POLICY}
        ),
        "/figure": lambda route: route.fulfill(body=figure([1, 2, 3]), content_type="application/json"),
        "/part": lambda route: route.fulfill(body="new", content_type="text/html"),
        "/live": lambda route: route.fulfill(status=404),
    }

    def answer(route: Route) -> None:
        path = "/" + route.request.url.removeprefix(ORIGIN).split("?")[0].strip("/")
        if path in answers:
            answers[path](route)
        else:
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file)[0])

    page.route(ORIGIN + "/**", answer)
    return answers


def heights(page: Page) -> list[int]:
    drawn: list[int] = page.evaluate("Array.from(document.querySelector('.plot-canvas').data[0].y)")
    return drawn


def wait_until(page: Page, expression: str) -> None:
    """Ask from outside until it holds: `wait_for_function` evaluates text in the page, which its policy refuses."""
    deadline = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"10 s went by without: {expression}"
        page.wait_for_timeout(50)


def fire_live(page: Page) -> None:
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live', {bubbles: true}))")


def test_a_plot_fills_its_box_and_says_when_it_is_drawn(page: Page, answers: Answers) -> None:
    page.goto(ORIGIN)
    wait_until(page, "performance.getEntriesByName('plots-drawn').length == 1")
    assert heights(page) == [1, 2, 3]
    assert (
        page.evaluate("document.querySelector('.plot .main-svg').clientHeight") == 320
    )  # the box's height, not the figure's


def test_new_data_keep_the_zoom(page: Page, answers: Answers) -> None:
    page.goto(ORIGIN)
    page.wait_for_selector("[data-drawn]")
    page.evaluate("Plotly.relayout(document.querySelector('.plot-canvas'), {'xaxis.range': [0.5, 1.5]})")
    answers["/figure"] = lambda route: route.fulfill(body=figure([9, 9, 9]))
    fire_live(page)
    wait_until(page, "document.querySelector('.plot-canvas').data[0].y[0] == 9")
    assert page.evaluate("document.querySelector('.plot-canvas').layout.xaxis.range") == [0.5, 1.5]


def test_a_plot_that_fails_says_so_in_its_box_and_can_be_retried(page: Page, answers: Answers) -> None:
    good, answers["/figure"] = answers["/figure"], lambda route: route.fulfill(status=500)
    page.goto(ORIGIN)
    page.get_by_text("could not be drawn: the server answered 500").wait_for()
    answers["/figure"] = good
    page.get_by_role("button", name="Retry").click()
    page.wait_for_selector("[data-drawn]")
    assert page.locator(".plot-message").count() == 0


def test_a_theme_is_kept_and_plots_are_drawn_anew_in_it(page: Page, answers: Answers) -> None:
    page.goto(ORIGIN)
    page.wait_for_selector("[data-drawn]")
    with page.expect_request("**/figure?theme=dark*"):
        page.get_by_role("button", name="Dark").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_refused_stream_becomes_polling_which_renews_fragments(page: Page, answers: Answers) -> None:
    page.goto(ORIGIN)
    page.get_by_text("polling").wait_for(timeout=10_000)
    page.get_by_text("new").wait_for(timeout=10_000)


def test_a_stream_is_live_and_its_messages_renew_fragments(page: Page, answers: Answers) -> None:
    answers["/live"] = lambda route: route.fulfill(body="retry: 60000\n\ndata: 1\n\n", content_type="text/event-stream")
    page.goto(ORIGIN)
    page.get_by_text("new").wait_for(timeout=2_000)  # sooner than polling could


def test_shortcuts_are_listed_and_work_except_while_typing(page: Page, answers: Answers) -> None:
    page.goto(ORIGIN)
    page.keyboard.press("?")
    page.get_by_text("Show these shortcuts").wait_for()
    page.keyboard.press("Escape")
    page.get_by_label("Name").press_sequentially("g r")
    assert page.evaluate("location.hash") == ""
    page.get_by_label("Name").blur()
    page.keyboard.press("g")
    page.keyboard.press("r")
    assert page.evaluate("location.hash") == "#runs"

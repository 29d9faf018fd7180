"""Measure the review of a large run: 24 benchmarks x 12 checkpoints x 500 items with paired intervals.

    python -m bench.review        with `make up` serving in another terminal

The run is seeded once, into a project of its own. The server's times are those of one answer in this process, wall and CPU:
cold is a process that knows nothing of the run yet, warm one that has made its report before. Chromium opens the page as
`make up` serves it, and scrolls from its top to its end. The longest task is any from the first byte to the last plot: its
wall time, in which a busy machine also did other work, and the CPU time of the page's own thread, in which it did not.
Prints medians and writes bench/results/review.md.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cascade_web.settings")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright's loop runs in this thread; we query between its calls
django.setup()

import psutil  # noqa: E402
from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from playwright.sync_api import Browser, BrowserType, Page, StorageState, ViewportSize, sync_playwright  # noqa: E402
from sesame.utils import get_query_string  # noqa: E402

from bench.pages import FLAGS  # noqa: E402
from bench.review_data import N_BENCHMARKS, N_ITEMS, N_STAGES, seed_run  # noqa: E402
from runs import report  # noqa: E402
from runs.models import Run  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "review.md"
COLD, WARM, DRAWN = 5, 20, 3  # how often each is measured
WINDOW = ViewportSize(width=1440, height=1000)
SCREEN, LOOK_MS = 700, 150  # pixels of a step through the page, and how long it is looked at
ASKED = {
    "the page": ("", 200, 3000),
    "changes since any checkpoint": ("?show=row&against=stage_03", 200, 3000),
    "flips of a pair": ("?cell=stage_10:bench_05&before=stage_01", 300, 3000),
    "the curves as Plotly JSON": ("figures/curves/", 200, 3000),
    "one HTML file": ("export/report.html", 1000, 3000),
}
WATCH = """new PerformanceObserver((seen) => {
  window.longest = Math.max(window.longest ?? 0, ...seen.getEntries().map((task) => task.duration));
}).observe({ type: "longtask", buffered: true });"""


@dataclass(frozen=True)
class Cost:
    """What one answer costs, in ms."""

    wall: float
    cpu: float


def main() -> None:
    """Seed, measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default=f"http://127.0.0.1:{os.environ.get('CASCADE_PORT', '8000')}")
    arguments = parser.parse_args()
    began = os.getloadavg()[0]
    run = seed_run()
    lines = [line(what, run, *asked) for what, asked in ASKED.items()]
    lines += drawn_lines(run, arguments.address)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(head(began) + "\n".join(lines) + "\n")
    print(RESULTS.read_text())


def line(what: str, run: Run, path: str, warm_target: int, cold_target: int) -> str:
    """Measure one address cold and warm: a row of the table."""
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    client = Client()
    client.force_login(run.created_by)
    address = reverse("runs:drift", args=(run.project.slug, run.number)) + path
    cost_of(client, address)  # what is imported with the first answer is no part of any
    cold = median([cost_of(client, address, is_cold=True) for _ in range(COLD)])
    warm = median([cost_of(client, address) for _ in range(WARM)])
    return (
        f"| server, {what} | {warm.wall:.0f} ms ({warm.cpu:.0f} CPU) | {warm_target} ms "
        f"| {cold.wall:.0f} ms ({cold.cpu:.0f} CPU) | {cold_target} ms |"
    )


def cost_of(client: Client, address: str, *, is_cold: bool = False) -> Cost:
    """Ask once."""
    if is_cold:
        report.forget()
    wall, cpu = time.perf_counter(), time.process_time()
    answer = client.get(address)
    assert answer.status_code == 200, f"{address} answered {answer.status_code}"
    return Cost(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu))


def median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


@dataclass(frozen=True)
class Look:
    """What one look at the page took: ms, and MB of all the browser's processes; of the CPU where it was traced."""

    painted: float
    curves: float
    longest: float
    memory: float
    empty: float  # the same before it opened anything
    longest_cpu: float | None


def drawn_lines(run: Run, address: str) -> list[str]:
    """Open the page in Chromium and scroll through all of it, as it is and traced: rows of the table."""
    page_of = address + reverse("runs:drift", args=(run.project.slug, run.number))
    with sync_playwright() as playwright:
        chromium = playwright.chromium
        state = signed_in(chromium, f"{address}{reverse('sign-in-link')}{get_query_string(run.created_by)}")
        looks = [look(chromium, state, page_of) for _ in range(DRAWN)]
        traced = [look(chromium, state, page_of, is_traced=True) for _ in range(DRAWN)]
    cpu = statistics.median(each.longest_cpu for each in traced if each.longest_cpu is not None)
    return [
        f"| Chromium, verdict and matrix painted | {middle(looks, 'painted'):.0f} ms | 1500 ms | | |",
        f"| Chromium, all curves drawn once they are in sight | {middle(looks, 'curves'):.0f} ms | 1500 ms | | |",
        f"| Chromium, the longest task | {middle(looks, 'longest'):.0f} ms ({cpu:.0f} CPU) | 200 ms | | |",
        f"| Chromium, all its processes; {middle(looks, 'empty'):.0f} MB of it with an empty window | "
        f"{middle(looks, 'memory'):.0f} MB | 500 MB | | |",
    ]


def middle(looks: list[Look], name: str) -> float:
    return float(statistics.median(getattr(each, name) for each in looks))


def launch(chromium: BrowserType) -> Browser:
    return chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)


def signed_in(chromium: BrowserType, link: str) -> StorageState:
    """Follow a sign-in link; returns the session's cookies."""
    browser = launch(chromium)
    context = browser.new_context(viewport=WINDOW)
    context.new_page().goto(link)
    state = context.storage_state()
    browser.close()
    return state


def look(chromium: BrowserType, state: StorageState, page_of: str, *, is_traced: bool = False) -> Look:
    """Open the page in a browser that has nothing else open. A trace knows CPU times, but takes memory and time of its own."""
    browser = launch(chromium)
    page = browser.new_context(viewport=WINDOW, storage_state=state).new_page()
    page.wait_for_timeout(LOOK_MS)
    empty = browser_mb()
    page.add_init_script(WATCH)
    if is_traced:
        browser.start_tracing(page=page, categories=["toplevel"])
    page.goto(page_of)
    painted = float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    started = time.perf_counter()
    page.locator("#curves").scroll_into_view_if_needed()
    page.locator("#curves[data-drawn]").wait_for(timeout=60_000)
    curves = 1000 * (time.perf_counter() - started)
    scroll_through(page)
    longest, memory = float(page.evaluate("window.longest ?? 0")), browser_mb()
    found = Look(painted, curves, longest, memory, empty, longest_cpu_ms(browser) if is_traced else None)
    browser.close()
    return found


def scroll_through(page: Page) -> None:
    """Bring all of a page into sight, a screen at a time."""
    for top in range(0, int(page.evaluate("document.documentElement.scrollHeight")), SCREEN):
        page.evaluate(f"scrollTo(0, {top})")
        page.wait_for_timeout(LOOK_MS)


def longest_cpu_ms(browser: Browser) -> float:
    """End the trace; returns the CPU time of the longest task of any page's own thread."""
    events = json.loads(browser.stop_tracing())["traceEvents"]
    pages = {
        (e["pid"], e["tid"]) for e in events if e["name"] == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    tasks = [e.get("tdur", 0) for e in events if e["name"].endswith("RunTask") and (e["pid"], e["tid"]) in pages]
    assert tasks, "the trace has no task of the page; Chromium names them otherwise now"
    return float(max(tasks)) / 1000


def browser_mb() -> float:
    """Proportional memory of the browser's processes, in MB (10^6 bytes): what they share is counted once."""
    found = [p for p in psutil.Process().children(recursive=True) if "chrom" in p.name()]
    return float(sum(process.memory_full_info().pss for process in found)) / 1e6


def head(began: float) -> str:
    """Write what comes above the rows; began: the load before anything was measured."""
    return f"""\
# The review of a large run

`.venv/bin/python -m bench.review` on {os.cpu_count()} cores ({platform.machine()}), load {began:.1f} as it began and
{os.getloadavg()[0]:.1f} as it ended: {N_BENCHMARKS} benchmarks x {N_STAGES + 1} checkpoints x {N_ITEMS} items.

| what | warm | target | cold | target |
|---|---:|---:|---:|---:|
"""


if __name__ == "__main__":
    main()

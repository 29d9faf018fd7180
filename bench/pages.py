"""Measure the drift page of a finished run: the server's time, and when Chromium has drawn it.

    python -m bench.pages [--run 1]        with `make up` serving in another terminal

Prints medians, beside the same figures for the sign-in page, which is the least any page of ours costs, and writes
bench/results/pages.md.
"""

import argparse
import os
import platform
import shutil
import statistics
import time
import urllib.request
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cascade_web.settings")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright's loop runs in this thread; we query between its calls
django.setup()

import psutil  # noqa: E402
from django.urls import reverse  # noqa: E402
from playwright.sync_api import Browser, BrowserContext, sync_playwright  # noqa: E402
from sesame.utils import get_query_string  # noqa: E402

from runs.models import Run  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "pages.md"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
SERVED, DRAWN = 20, 5  # how often each is measured


def main() -> None:
    """Measure both pages and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=int, help="the run's number; left out, the newest")
    parser.add_argument("--address", default=f"http://127.0.0.1:{os.environ.get('CASCADE_PORT', '8000')}")
    arguments = parser.parse_args()
    runs = Run.objects.select_related("project", "created_by")
    run = runs.get(number=arguments.run) if arguments.run else runs.latest("created_at")
    drift = arguments.address + reverse("runs:drift", args=(run.project.slug, run.number))
    sign_in = arguments.address + reverse("login")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        page.goto(f"{arguments.address}{reverse('sign-in-link')}{get_query_string(run.created_by)}")
        served = {"drift": served_ms(drift, context), "sign-in": served_ms(sign_in, browser.new_context())}
        drawn = drawn_ms(browser, context, drift)
        browser.close()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(report(run, served, drawn))
    print(RESULTS.read_text())


def served_ms(address: str, context: BrowserContext) -> float:
    """Median time of one answer, connection included, after one that is not counted."""
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in context.cookies())
    request = urllib.request.Request(address, headers={"Cookie": cookies})
    times = []
    for _ in range(SERVED + 1):
        started = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            answer.read()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[1:])


def drawn_ms(browser: Browser, context: BrowserContext, address: str) -> float:
    """Median time from navigation until all plots in sight are drawn, each time with an empty cache."""
    times = []
    for _ in range(DRAWN):
        fresh = browser.new_context(viewport={"width": 1440, "height": 1000}, storage_state=context.storage_state())
        page = fresh.new_page()
        page.goto(address)
        while (mark := page.evaluate("performance.getEntriesByName('plots-drawn')[0]?.startTime ?? 0")) == 0:
            time.sleep(0.02)
        times.append(float(mark))
        fresh.close()
    return statistics.median(times)


def web_memory_mb() -> float:
    """Resident memory of the web process, in MB (10^6 bytes)."""
    lines = ((process, " ".join(process.info["cmdline"] or [])) for process in psutil.process_iter(["cmdline"]))
    found = [process.memory_info().rss for process, line in lines if "uvicorn" in line and "cascade_web.asgi" in line]
    return max(found, default=0) / 1e6


def report(run: Run, served: dict[str, float], drawn: float) -> str:
    """Write the table."""
    return "\n".join(
        [
            "# The drift page of a finished run",
            "",
            f"`.venv/bin/python -m bench.pages` on {os.cpu_count()} cores ({platform.machine()}); {run}, {run.stages.count()} stages.",
            "",
            "| what | median | target | against the sign-in page |",
            "|---|---|---|---|",
            f"| server, whole answer | {served['drift']:.0f} ms | 200 ms | {served['drift'] / served['sign-in']:.1f} x |",
            f"| Chromium, empty cache, until all plots in sight are drawn | {drawn:.0f} ms | 1500 ms | |",
            f"| memory of the web process afterwards | {web_memory_mb():.0f} MB | 250 MB | |",
            "",
        ]
    )


if __name__ == "__main__":
    main()

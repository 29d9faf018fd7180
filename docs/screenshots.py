"""Take the pictures that README shows, from a server that `make up` or `make demo` has started.

    .venv/bin/python docs/screenshots.py [--run 1] [--all var/screenshots]

Without --all it writes docs/images/drift.png: the drift page of the newest run, or of the run with this number. With
--all it also writes every page at 1440 and 390 pixels, light and dark, for looking at.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Literal

import django

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cascade_web.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.urls import reverse  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from sesame.utils import get_query_string  # noqa: E402

from runs.models import DataSet, Project, Proposal, Run, Thread  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
WIDTHS = (1440, 390)
THEMES = ("light", "dark")


def main() -> None:
    """Sign in and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=int, help="the run's number in its project")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="also take every page, into this folder")
    parser.add_argument("--address", default=f"http://127.0.0.1:{os.environ.get('CASCADE_PORT', '8000')}")
    arguments = parser.parse_args()
    runs = Run.objects.select_related("project", "recipe", "created_by")
    run = runs.get(number=arguments.run) if arguments.run else runs.latest("created_at")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
        "true"  # playwright's loop runs in this thread; we query between its calls
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        if arguments.all:
            take_all(browser, arguments.address, run, arguments.all)
        page = open_page(browser, arguments.address, run.created_by, width=1440, theme="light")
        page.set_viewport_size({"width": 1440, "height": 1700})  # down to the end of the forgetting curves
        show(page, arguments.address + reverse("runs:drift", args=(run.project.slug, run.number)))
        page.screenshot(path=ROOT / "docs" / "images" / "drift.png", full_page=False)
        browser.close()


def take_all(browser: Browser, address: str, run: Run, folder: Path) -> None:
    """Every page, at both widths, in both themes."""
    folder.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        for theme in THEMES:
            page = open_page(browser, address, run.created_by, width=width, theme=theme)
            for name, path in pages_of(run).items():
                show(page, address + path)
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
            page.context.close()


def pages_of(run: Run) -> dict[str, str]:
    """The pages of a project with a run, and of what else it happens to hold."""
    slug, number, last = run.project.slug, run.number, run.stages.order_by("position").last()
    assert last is not None
    drift = reverse("runs:drift", args=(slug, number))
    return {
        "runs": reverse("runs:list", args=(slug,)),
        "run": reverse("runs:detail", args=(slug, number)),
        "stage": reverse("runs:stage", args=(slug, number, last.name)),
        "drift": drift,
        "drift-previous": f"{drift}?show=previous&cell={last.name}:coding",
        "threads": reverse("runs:threads", args=(slug, number)),
        "new-run": reverse("runs:new", args=(slug,)),
        "recipes": reverse("recipes:list", args=(slug,)),
        "recipe": reverse("recipes:detail", args=(slug, run.recipe.name, run.recipe.version)),
        "data": reverse("data:list", args=(slug,)),
        "data-new": reverse("data:new", args=(slug,)),
        "members": reverse("members", args=(slug,)),
        "audit": reverse("audit", args=(slug,)),
        "inbox": reverse("inbox"),
        "tokens": reverse("tokens"),
        "api": reverse("api-docs"),
        **_pages_of_what_is_there(run.project),
    }


def _pages_of_what_is_there(project: Project) -> dict[str, str]:
    """One page for each data set, proposal and thread, and the comparison where there are two runs."""
    slug, found = project.slug, {}
    for data in DataSet.objects.filter(project=project):
        found[f"data-{data.name}-{data.version}"] = reverse("data:detail", args=(slug, data.name, data.version))
    for number, proposal in enumerate(Proposal.objects.filter(project=project)):
        found[f"proposal-{number}"] = reverse("proposal", args=(slug, proposal.public_id))
    for number, thread in enumerate(Thread.objects.filter(run__project=project)):
        found[f"thread-{number}"] = reverse("thread", args=(slug, thread.public_id))
    numbers = project.runs.order_by("number").values_list("number", flat=True)
    if len(numbers) > 1:
        found["compare"] = reverse("runs:compare", args=(slug,)) + "?" + "&".join(f"run={n}" for n in numbers)
    return found


def open_page(browser: Browser, address: str, user: User, *, width: int, theme: str) -> Page:
    """Open a signed-in page of this width and theme."""
    scheme: Literal["dark", "light"] = "dark" if theme == "dark" else "light"
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
    page = context.new_page()
    user.refresh_from_db()  # a link works once because it depends on the last sign-in
    page.goto(f"{address}{reverse('sign-in-link')}{get_query_string(user)}")
    if "/sign-in/" in page.url:
        sys.exit(f"found {page.url} after the sign-in link, expected a page; is this the server's own database?")
    return page


def show(page: Page, address: str) -> None:
    """Go to a page, bring every plot into sight once, and wait until all are drawn."""
    page.goto(address)
    for plot in page.locator("[data-plot-url]").all():
        if plot.is_visible():
            plot.scroll_into_view_if_needed()
            plot.locator(".main-svg").first.wait_for(timeout=10_000)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(300)


if __name__ == "__main__":
    main()

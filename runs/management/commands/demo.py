"""Start everything, run a small cascade, show its progress and what it forgot, then keep serving."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections
from django.urls import reverse
from rich.console import Console

from runs import lifecycle, presets, recipes, report, samples
from runs.management.demo_progress import StageLine, duration, read_lines, watch
from runs.management.serving import (
    TEND_EVERY_S,
    CannotServeError,
    Say,
    Serving,
    keep_serving,
    say_if_heard,
    serving,
    sign_in_link,
)
from runs.models import Run, Status
from workers.spec import RecipeSpec

LOOK_EVERY_S = 1.0
OVER = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class Command(BaseCommand):
    help = "Start everything, run a preset, show its progress and its score matrix; then keep serving."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--preset", default="tiny-cascade", help="which preset to run")
        parser.add_argument("--seed", type=int, default=None, help="the run's seed; default: the preset's own")
        parser.add_argument(
            "--once", action="store_true", help="stop when the run is over; status 0 only if it succeeded"
        )

    def handle(self, *args: object, preset: str, seed: int | None, once: bool, **options: object) -> None:
        say = say_if_heard(self.stdout)
        if preset not in presets.preset_names():
            sys.exit(f"found no preset '{preset}', expected one of: {', '.join(presets.preset_names())}.")
        is_success = False
        try:
            with serving(say) as now:
                _read_samples(say, now, preset)
                run = _launch(now, presets.load_preset(preset), seed)
                address = now.address + reverse("runs:drift", args=(run.project.slug, run.number)).lstrip("/")
                _tell_where(say, now, address)
                is_success = _follow(say, now, run)
                _conclude(say, run)
                if not once:
                    _tell_where(say, now, address)
                    say("Ctrl-C stops everything.")
                    keep_serving(now.supervisor)
        except KeyboardInterrupt:
            say("Stopped.")
        except CannotServeError as error:
            sys.exit(f"{error}.")
        if once and not is_success:
            sys.exit(1)


def _read_samples(say: Say, now: Serving, preset: str) -> None:
    """Have the workers read the rows that ship with a preset; raises CannotServeError where they cannot be."""
    if not samples.missing_samples(preset, now.project):
        return
    n_rows = sum(sample.n_rows for sample in samples.register_samples(preset, project=now.project, user=now.owner))
    say(f"Reading the {n_rows} sample rows of {preset} ...")
    while missing := samples.missing_samples(preset, now.project):
        if failed := next((sample for sample in missing if sample.failure), None):
            raise CannotServeError(f"the sample rows '{failed.name}' were not read: {failed.failure}")
        now.supervisor.tend()
        time.sleep(TEND_EVERY_S)


def _launch(now: Serving, spec: RecipeSpec, seed: int | None) -> Run:
    recipe = recipes.save_recipe(project=now.project, spec=spec, user=now.owner)
    return lifecycle.start_run(project=now.project, recipe=recipe, user=now.owner, seed=seed)


def _tell_where(say: Say, now: Serving, address: str) -> None:
    say(f"\nThe run is at {address}")
    say(f"Sign in (works once, for 10 minutes): {sign_in_link(now.address, now.owner)}\n")


def _follow(say: Say, now: Serving, run: Run) -> bool:
    """Show progress until the run is over; tell whether it succeeded."""
    view = watch(Console(file=sys.stdout), say)
    status, looked_at = Status.QUEUED, 0.0
    try:
        while status not in OVER:
            now.supervisor.tend()
            if time.monotonic() - looked_at >= LOOK_EVERY_S:
                looked_at = time.monotonic()
                status = _look(run, view.show) or status
            time.sleep(TEND_EVERY_S)
    finally:
        view.close()
    return status == Status.SUCCEEDED


def _look(run: Run, show: Callable[[list[StageLine]], None]) -> Status | None:
    """Read and show where the run stands; None while the database is being started again."""
    try:
        show(read_lines(run))
        return run.status
    except (OperationalError, InterfaceError):
        close_old_connections()
        return None


def _conclude(say: Say, run: Run) -> None:
    """Tell how the run ended: its scores and what came back, or what failed."""
    say(f"\n{run} {run.status.label} after {duration(time.time() - run.created_at.timestamp())}.")
    for stage in run.stages.filter(status=Status.FAILED):
        say(f"Stage {stage.name} failed: {stage.failure_reason}")
    for checkpoint in run.checkpoints.filter(status=Status.FAILED):
        say(f"Scoring of {checkpoint} failed: {checkpoint.failure_reason}")
    if run.status == Status.SUCCEEDED:
        say("\n" + report.plain_text(run))

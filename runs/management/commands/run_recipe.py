"""Start a run of a recipe file against whatever is up, without a browser."""

import sys
import time
from argparse import ArgumentParser
from functools import partial
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from runs import lifecycle
from runs.access import ensure_project
from runs.management.serving import FIRST_PROJECT, FIRST_USER
from runs.models import Status
from runs.pins import pin_recipe
from runs.recipes import save_recipe
from workers.recipe_text import RecipeError, load_recipe

OVER = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class Command(BaseCommand):
    help = "Save a recipe and start a run of it; prints the run's id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("recipe", type=Path, help="a recipe in YAML")
        parser.add_argument("--project", default=FIRST_PROJECT, help="name of one of the user's projects, or a new one")
        parser.add_argument("--user", default=FIRST_USER, help="in whose name")
        parser.add_argument("--seed", type=int, default=None, help="instead of the recipe's")
        parser.add_argument("--wait", action="store_true", help="wait until it is over; status 0 only if it succeeded")

    def handle(
        self, *args: object, recipe: Path, project: str, user: str, seed: int | None, wait: bool, **options: object
    ) -> None:
        owner = User.objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"found no user '{user}'; run `make up` once, or name another with --user")
        where = ensure_project(project, owner)
        try:
            spec = load_recipe(recipe.read_text(), pin=partial(pin_recipe, project=where))
        except OSError as error:
            raise CommandError(f"the recipe cannot be read: {error}") from None
        except RecipeError as error:
            lines = [f"  {problem.field}: {problem.message}" for problem in error.problems]
            raise CommandError("\n".join([f"{recipe} is refused:", *lines])) from None
        saved = save_recipe(project=where, spec=spec, user=owner)
        run = lifecycle.start_run(project=where, recipe=saved, user=owner, seed=seed)
        self.stdout.write(run.public_id)
        while wait and run.status not in OVER:
            time.sleep(1.0)
        if wait and run.status != Status.SUCCEEDED:
            sys.exit(f"{run} {run.status.label}")

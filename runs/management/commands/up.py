"""Start everything and serve until Ctrl-C."""

import sys

from django.core.management.base import BaseCommand

from runs.management.serving import CannotServeError, keep_serving, serving, sign_in_link


class Command(BaseCommand):
    help = "Start database, Redis, web, workers and beat; print where to look; stop all of them on Ctrl-C."
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        try:
            with serving(self.stdout.write) as now:
                self.stdout.write(f"Cascade is at {now.address}")
                self.stdout.write(f"Sign in (works once, for 10 minutes): {sign_in_link(now.address, now.owner)}")
                self.stdout.write("Ctrl-C stops everything.")
                self.stdout.flush()
                keep_serving(now.supervisor)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        except CannotServeError as error:
            sys.exit(f"{error}.")

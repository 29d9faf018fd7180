"""Start everything and serve until Ctrl-C."""

import sys

from django.core.management.base import BaseCommand

from runs.management.serving import CannotServeError, keep_serving, say_if_heard, serving, sign_in_link


class Command(BaseCommand):
    help = "Start database, Redis, web, workers and beat; print where to look; stop all of them on Ctrl-C."
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        say = say_if_heard(self.stdout)
        try:
            with serving(say) as now:
                say(f"Cascade is at {now.address}")
                say(f"Sign in (works once, for 10 minutes): {sign_in_link(now.address, now.owner)}")
                say("Ctrl-C stops everything.")
                keep_serving(now.supervisor)
        except KeyboardInterrupt:
            say("Stopped.")
        except CannotServeError as error:
            sys.exit(f"{error}.")

"""Print a link that signs a person in once: for the first sign-in of an installation, or a forgotten password."""

from argparse import ArgumentParser

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from runs.access import ensure_first_user, ensure_project
from runs.management.serving import FIRST_PROJECT, FIRST_USER, local_address, sign_in_link


class Command(BaseCommand):
    help = "Print a link that signs somebody in once, within 10 minutes; the first user is made if there is none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", nargs="?", default=FIRST_USER)

    def handle(self, *args: object, username: str, **options: object) -> None:
        owner = ensure_first_user(FIRST_USER)
        ensure_project(FIRST_PROJECT, owner)
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"found no active user '{username}', expected the name of one who can sign in")
        address = f"{settings.PUBLIC_URL.rstrip('/')}/" if settings.PUBLIC_URL else local_address()
        self.stdout.write(sign_in_link(address, user))

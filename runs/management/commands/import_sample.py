"""Import published results as a run to read."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from runs.exchange.published import UnknownSampleError, import_sample, sample_names
from runs.models import Membership, Project, Role


class Command(BaseCommand):
    help = "Import published results into a project, as a run that says that it is none of this server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default=sample_names()[0], help=f"one of: {', '.join(sample_names())}")
        parser.add_argument("--project", default="demo", help="the project's name in addresses; default: demo")

    def handle(self, *args: object, name: str, project: str, **options: object) -> None:
        found = Project.objects.filter(slug=project).first()
        if found is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"found no project '{project}', expected one of: {known}")
        owner = Membership.objects.filter(project=found, role=Role.OWNER).select_related("user").first()
        assert owner is not None, "a project always has an owner"
        try:
            run = import_sample(name, project=found, user=owner.user)
        except UnknownSampleError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{run}: {reverse('runs:drift', args=(found.slug, run.number))}")

"""Who may see and do what: a project is the boundary."""

from django.conf import settings
from django.db import models


class Role(models.TextChoices):
    """What a member may do; each role may do all that the ones before it may."""

    VIEWER = "viewer", "Viewer"
    REVIEWER = "reviewer", "Reviewer"
    RUNNER = "runner", "Runner"
    MAINTAINER = "maintainer", "Maintainer"
    OWNER = "owner", "Owner"

    def may(self, needed: "Role") -> bool:
        """Say whether this role includes all rights of `needed`."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Project(models.Model):
    """A team's space: its members, recipes and runs."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=60, unique=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="projects")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role, default=Role.VIEWER)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "user"), name="one_membership_per_person"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.project}: {self.role}"

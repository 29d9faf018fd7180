"""Projects, members and what they may do."""

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.text import slugify

from runs.models import Membership, Project, Role


class RoleTooLowError(PermissionDenied):
    """The member's role does not include what was asked."""


def projects_of(user: User) -> QuerySet[Project]:
    """The projects a person is a member of; to others they do not exist."""
    return Project.objects.filter(memberships__user=user)


def project_for(user: User, slug: str, *, needs: Role = Role.VIEWER) -> Project:
    """Find a project for a member; Http404 for everybody else, RoleTooLowError for a member whose role is too low."""
    project = projects_of(user).filter(slug=slug).first()
    if project is None:
        raise Http404
    require(user, project, needs)
    return project


def role_in(user: User, project: Project) -> Role | None:
    """The person's role in a project, None for a stranger."""
    membership = Membership.objects.filter(user=user, project=project).first()
    return Role(membership.role) if membership else None


def require(user: User, project: Project, needs: Role) -> None:
    """Raise Http404 for a stranger, RoleTooLowError for a member who may not."""
    role = role_in(user, project)
    if role is None:
        raise Http404
    if not role.may(needs):
        raise RoleTooLowError(
            f"your role in {project.name} is {role}, this needs {needs}; ask an owner to change your role"
        )


def ensure_project(name: str, owner: User) -> Project:
    """Find the person's project of this name, or make it with them as its owner."""
    found = projects_of(owner).filter(name=name).first()
    if found:
        return found
    with transaction.atomic():
        project = Project.objects.create(name=name, slug=_free_slug(name))
        Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    return project


def ensure_first_user(username: str) -> User:
    """Find this user, or make them without a password: they sign in by a one-time link until they set one."""
    user, is_new = User.objects.get_or_create(username=username, defaults={"is_superuser": True, "is_staff": True})
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def _free_slug(name: str) -> str:
    stem = slugify(name)[:50] or "project"
    taken = set(Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for slug in [stem, *(f"{stem}-{n}" for n in range(2, 1000))] if slug not in taken)

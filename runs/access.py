"""Projects, members and what they may do."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.text import slugify

from runs import audit
from runs.models import Membership, Project, Role


class RoleTooLowError(PermissionDenied):
    """The member's role does not include what was asked."""


class MembershipError(ValueError):
    """A change of members that is not possible; the message says why and what to do."""


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
    return create_project(name, owner)


def create_project(name: str, owner: User) -> Project:
    """Make a project with this person as its owner."""
    with transaction.atomic():
        project = Project.objects.create(name=name, slug=_free_slug(name))
        Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    return project


def add_member(project: Project, username: str, role: Role, *, by: User) -> Membership:
    """Add a person; raises MembershipError where that is not possible."""
    with project_locked(project):
        _may_give(by, project, role)
        user = User.objects.filter(username=username).first()
        if user is None:
            raise MembershipError(f"found no user '{username}', expected a user name of this server; ask them for it")
        if role_in(user, project) is not None:
            raise MembershipError(f"{username} is a member already; change the role in the list")
        audit.record(project, "member.added", by=by, subject=username, after={"role": role})
        return Membership.objects.create(project=project, user=user, role=role)


def change_role(membership: Membership, role: Role, *, by: User) -> None:
    """Give a member another role; raises MembershipError where that is not possible."""
    with project_locked(membership.project):
        membership.refresh_from_db()
        _may_give(by, membership.project, Role(membership.role))
        _may_give(by, membership.project, role)
        if membership.role == role:
            return
        if role != Role.OWNER:
            _keep_an_owner(membership)
        subject, before = membership.user.username, {"role": membership.role}
        membership.role = role
        membership.save(update_fields=["role"])
        audit.record(membership.project, "member.changed", by=by, subject=subject, before=before, after={"role": role})


def remove_member(membership: Membership, *, by: User) -> None:
    """Remove a member; raises MembershipError for the last owner."""
    with project_locked(membership.project):
        membership.refresh_from_db()
        _may_give(by, membership.project, Role(membership.role))
        _keep_an_owner(membership)
        subject, before = membership.user.username, {"role": membership.role}
        membership.delete()
        audit.record(membership.project, "member.removed", by=by, subject=subject, before=before)


@contextmanager
def project_locked(project: Project) -> Iterator[None]:
    """One change of members, policy or aliases at a time, so that two owners cannot remove each other at once."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        yield


def _may_give(by: User, project: Project, role: Role) -> None:
    """Maintainers manage all roles but owners, which only owners do."""
    require(by, project, Role.OWNER if role == Role.OWNER else Role.MAINTAINER)


def _keep_an_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(project=membership.project, role=Role.OWNER)
    if membership.role == Role.OWNER and not owners.exclude(pk=membership.pk).exists():
        raise MembershipError(
            f"{membership.user} is the only owner of {membership.project}; make somebody else an owner first"
        )


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

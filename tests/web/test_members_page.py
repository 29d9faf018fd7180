"""Who is in a project: maintainers manage members, only owners manage owners, and one owner always stays."""

import html

import pytest
from django.contrib.auth.models import User
from django.test import Client

from runs.access import MembershipError, RoleTooLowError, add_member, change_role, remove_member, role_in
from runs.models import AuditEntry, Membership, Project, Role
from tests.web.some_runs import a_member, a_project

pytestmark = pytest.mark.django_db
MEMBERS = "/projects/team/members/"


@pytest.fixture
def ada(project: Project) -> User:
    return project.members.get(username="ada")


def _membership(project: Project, username: str) -> Membership:
    return Membership.objects.select_related("project").get(project=project, user__username=username)


def test_an_owner_adds_changes_and_removes_a_member(project: Project, ada: User, client: Client) -> None:
    grace = User.objects.create_user("grace")
    client.force_login(ada)
    client.post(MEMBERS, {"op": "add", "username": "grace", "role": "runner"})
    assert role_in(grace, project) == Role.RUNNER
    number = _membership(project, "grace").pk
    client.post(MEMBERS, {"op": "role", "member": number, "role": "reviewer"})
    assert role_in(grace, project) == Role.REVIEWER
    client.post(MEMBERS, {"op": "remove", "member": number})
    assert role_in(grace, project) is None


@pytest.mark.parametrize(("username", "words"), [("nobody", "found no user 'nobody'"), ("ada", "is a member already")])
def test_a_member_that_cannot_be_added_is_refused_beside_the_field(
    username: str, words: str, project: Project, ada: User, client: Client
) -> None:
    client.force_login(ada)
    answer = client.post(MEMBERS, {"op": "add", "username": username, "role": "viewer"})
    assert answer.status_code == 422
    assert words in html.unescape(answer.content.decode())
    assert project.memberships.count() == 1


def test_the_last_owner_stays(project: Project, ada: User, client: Client) -> None:
    client.force_login(ada)
    number = _membership(project, "ada").pk
    for form in ({"op": "remove"}, {"op": "role", "role": "viewer"}):
        page = client.post(MEMBERS, {**form, "member": number}, follow=True).content.decode()
        assert "make somebody else an owner first" in page
        assert role_in(ada, project) == Role.OWNER
    a_member(project, "grace", Role.OWNER)
    remove_member(_membership(project, "ada"), by=ada)
    assert role_in(ada, project) is None


def test_maintainers_do_not_touch_owners(project: Project) -> None:
    max_, vera = a_member(project, "max", Role.MAINTAINER), a_member(project, "vera", Role.VIEWER)
    change_role(_membership(project, "vera"), Role.MAINTAINER, by=max_)
    assert role_in(vera, project) == Role.MAINTAINER
    with pytest.raises(RoleTooLowError):
        change_role(_membership(project, "vera"), Role.OWNER, by=max_)
    with pytest.raises(RoleTooLowError):
        remove_member(_membership(project, "ada"), by=max_)
    User.objects.create_user("eve")
    with pytest.raises(RoleTooLowError):
        add_member(project, "eve", Role.OWNER, by=max_)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER, Role.RUNNER])
def test_others_only_see_the_list(role: Role, project: Project, client: Client) -> None:
    client.force_login(a_member(project, "vera", role))
    page = client.get(MEMBERS).content.decode()
    assert "ada" in page
    assert 'name="op"' not in page
    assert client.post(MEMBERS, {"op": "add", "username": "ada", "role": "viewer"}).status_code == 403
    assert client.post(MEMBERS, {"op": "remove", "member": _membership(project, "ada").pk}).status_code == 403


def test_members_of_another_project_cannot_be_reached(project: Project, ada: User, client: Client) -> None:
    other = a_project("Other", owner="eve")
    client.force_login(ada)
    assert client.get("/projects/other/members/").status_code == 404
    for number in (_membership(other, "eve").pk, "x", "", "9" * 30):
        assert client.post(MEMBERS, {"op": "remove", "member": number}).status_code == 404


def test_a_role_that_does_not_exist_is_refused(project: Project, ada: User, client: Client) -> None:
    a_member(project, "vera", Role.VIEWER)
    client.force_login(ada)
    form = {"op": "role", "member": _membership(project, "vera").pk, "role": "emperor"}
    assert "Found role" in client.post(MEMBERS, form, follow=True).content.decode()
    assert client.post(MEMBERS, {"op": "add", "username": "vera", "role": "emperor"}).status_code == 422


def test_whoever_makes_a_project_owns_it(client: Client) -> None:
    lone = User.objects.create_user("lone")
    client.force_login(lone)
    assert "no project yet" in client.get("/").content.decode()
    assert client.post("/new-project/", {"name": " "}).status_code == 422
    assert client.post("/new-project/", {"name": "Löwe & Co"}).headers["Location"] == "/projects/lowe-co/runs/"
    assert role_in(lone, Project.objects.get()) == Role.OWNER


def test_every_change_of_members_is_in_the_audit_log(project: Project, ada: User) -> None:
    User.objects.create_user("grace")
    grace = add_member(project, "grace", Role.RUNNER, by=ada)
    change_role(grace, Role.REVIEWER, by=ada)
    remove_member(grace, by=ada)
    entries = AuditEntry.objects.filter(project=project, actor=ada, subject="grace").order_by("pk")
    assert list(entries.values_list("action", "before", "after")) == [
        ("member.added", None, {"role": "runner"}),
        ("member.changed", {"role": "runner"}, {"role": "reviewer"}),
        ("member.removed", {"role": "reviewer"}, None),
    ]


def test_the_message_of_a_refused_change_says_what_to_do(project: Project, ada: User) -> None:
    with pytest.raises(MembershipError, match="ask them for it"):
        add_member(project, "nobody", Role.VIEWER, by=ada)

"""Who is in a project, and projects themselves."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from runs import access, reviews
from runs.models import Membership, Project, Role
from runs.pages.proposals import policy_words
from runs.pages.words import first_error
from runs.standings import policy_of, reviewers_of

_ABOUT_ROLES = {
    Role.VIEWER: "reads everything of the project",
    Role.REVIEWER: "reads, comments and gives verdicts",
    Role.RUNNER: "also saves recipes, launches runs and steers them, proposes checkpoints and promotes them",
    Role.MAINTAINER: "also manages members below owner",
    Role.OWNER: "also makes and removes owners and sets the sign-off policy",
}


class MemberForm(forms.Form):
    """Add a person who has an account."""

    username = forms.CharField(label="User name", max_length=150)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER)


class PolicyForm(forms.Form):
    """What a checkpoint needs before it may be promoted."""

    n_approvals = forms.IntegerField(
        label="Approvals",
        min_value=0,
        max_value=reviews.MAX_APPROVALS,
        help_text="By other people than the proposer. 0: whoever may promote decides alone.",
    )
    required = forms.MultipleChoiceField(
        label="Reviewers who must be among them", required=False, widget=forms.CheckboxSelectMultiple
    )


class ProjectForm(forms.Form):
    """Make a project."""

    name = forms.CharField(label="Name", max_length=80, help_text="What your team calls it. Up to 80 characters.")


@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """List members; maintainers and owners add, change and remove them."""
    assert isinstance(request.user, User)
    if request.method != "POST":
        return _members_page(request, access.project_for(request.user, slug), MemberForm())
    project = access.project_for(request.user, slug, needs=Role.MAINTAINER)
    if request.POST.get("op") == "add":
        return _add(request, project)
    try:
        messages.success(request, _change(request, project))
    except access.MembershipError as error:
        messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    still_there = access.role_in(request.user, project) is not None
    return redirect("members", slug) if still_there else redirect("home")


@require_POST
def set_policy(request: HttpRequest, slug: str) -> HttpResponse:
    """Change what a checkpoint needs before it may be promoted."""
    assert isinstance(request.user, User)
    project = access.project_for(request.user, slug, needs=reviews.SET_POLICY)
    form = _policy_form(project, request.POST)
    if not form.is_valid():
        messages.error(request, f"The policy is as it was. {first_error(form)}")
        return redirect("members", slug)
    asked, may_review = form.cleaned_data, reviewers_of(project)
    policy = reviews.set_policy(
        project,
        n_approvals=asked["n_approvals"],
        required=[may_review[name] for name in asked["required"]],
        by=request.user,
    )
    messages.success(request, f"A promotion needs {policy_words(policy)} now.")
    return redirect("members", slug)


def _policy_form(project: Project, data: QueryDict | None = None) -> PolicyForm:
    policy = policy_of(project)
    form = PolicyForm(data, initial={"n_approvals": policy.n_approvals, "required": sorted(policy.required)})
    names = [(name, name) for name in reviewers_of(project)]
    field = form.fields["required"]
    assert isinstance(field, forms.MultipleChoiceField)
    field.choices = names
    return form


def _add(request: HttpRequest, project: Project) -> HttpResponse:
    assert isinstance(request.user, User)
    form = MemberForm(request.POST)
    if form.is_valid():
        username, role = form.cleaned_data["username"], Role(form.cleaned_data["role"])
        try:
            access.add_member(project, username, role, by=request.user)
        except access.MembershipError as error:
            form.add_error("username", str(error))
        else:
            messages.success(request, f"{username} is a {role.label.lower()} now.")
            return redirect("members", project.slug)
    return _members_page(request, project, form, status=422)


def _change(request: HttpRequest, project: Project) -> str:
    """Change or remove the member that the form names; returns what was done, in words."""
    assert isinstance(request.user, User)
    number = request.POST.get("member", "")
    membership = get_object_or_404(
        Membership.objects.select_related("user", "project"),
        project=project,
        pk=int(number) if number.isdecimal() and len(number) < 19 else 0,
    )
    if request.POST.get("op") == "remove":
        access.remove_member(membership, by=request.user)
        return f"{membership.user} is no longer a member."
    wanted = request.POST.get("role", "")
    if wanted not in Role.values:
        raise access.MembershipError(f"found role '{wanted}', expected one of: {', '.join(Role.values)}")
    access.change_role(membership, Role(wanted), by=request.user)
    return f"{membership.user} is a {Role(wanted).label.lower()} now."


def _members_page(request: HttpRequest, project: Project, form: MemberForm, *, status: int = 200) -> HttpResponse:
    assert isinstance(request.user, User)
    role = access.role_in(request.user, project)
    is_owner, may_manage = role == Role.OWNER, role is not None and role.may(Role.MAINTAINER)
    memberships = list(project.memberships.select_related("user").order_by("user__username"))
    givable = [choice for choice in Role if is_owner or choice != Role.OWNER]
    form.fields["role"].widget = forms.Select(choices=[(choice.value, choice.label) for choice in givable])
    context: dict[str, Any] = {
        "project": project,
        "crumbs": [(project.name, reverse("runs:list", args=[project.slug])), ("Members", "")],
        "members": [
            (member, Role(member.role), may_manage and (is_owner or member.role != Role.OWNER))
            for member in memberships
        ],
        "roles": givable,
        "about_roles": [(choice.label, _ABOUT_ROLES[choice]) for choice in Role],
        "may_manage": may_manage,
        "form": form,
        "policy": policy_words(policy_of(project)),
        "policy_form": _policy_form(project) if is_owner else None,
    }
    return render(request, "members.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def new_project(request: HttpRequest) -> HttpResponse:
    """Make a project, whose owner is whoever makes it."""
    assert isinstance(request.user, User)
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = access.create_project(form.cleaned_data["name"], request.user)
        messages.success(request, f"{project} is yours now.")
        return redirect("runs:list", project.slug)
    context = {"form": form, "crumbs": [("New project", "")]}
    return render(request, "new_project.html", context, status=422 if request.method == "POST" else 200)

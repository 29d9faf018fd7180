"""Data sets of a project: their list, the form that registers rows, and a version with what it holds."""

import secrets
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs.access import project_for, role_in
from runs.data_sets import (
    DataSetError,
    delete_data_set,
    folder_of,
    pinning,
    records_of,
    register_path,
    register_upload,
)
from runs.leaks import report_of
from runs.lifecycle import read_again
from runs.models import DataSet, LeakCheck, Project, Recipe, Role, Run, Status
from runs.pages.words import refusals_told
from workers.catalogue import GRADERS
from workers.data_dir import BadRowRecord, DataSourceSpec, RowRecord

PER_PAGE = 50
SPLITS = ("train", "validation", "test")  # in the order of their use
USES = {
    "split": "Train and measure: 60 % train, 20 % validation, 20 % test",
    "train": "Train only",
    "benchmark": "Benchmark only: 20 % validation, 80 % test",
}
_FORMS = {"auto": "tell by each row", "plain": "plain rows", "nemo_gym": "rows of NeMo Gym"}


class DataSetForm(forms.Form):
    """Register rows."""

    name = forms.RegexField(
        r"^[a-z][a-z0-9_-]{0,39}\Z",
        label="Name",
        help_text="Lower-case letters, digits, - and _. Recipes name it as a domain. A name that is there already gets a new version.",
        error_messages={
            "invalid": "Found another kind of name; expected a letter, then letters, digits, - and _, 40 at most, all lower case."
        },
    )
    file = forms.FileField(
        label="File", required=False, help_text="JSONL, one row a line; .jsonl.gz is smaller and sooner here."
    )
    path = forms.CharField(label="Or path on the server", required=False, max_length=1000)
    use = forms.ChoiceField(label="What the rows are for", choices=list(USES.items()))
    grader = forms.ChoiceField(
        label="Grader of rows that name none",
        required=False,
        choices=[("", "none: each row names its own"), *GRADERS.items()],
    )
    form = forms.ChoiceField(label="How a row is written", choices=list(_FORMS.items()))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if settings.DATA_DIRS:
            folders = ", ".join(str(folder) for folder in settings.DATA_DIRS)
            self.fields[
                "path"
            ].help_text = f"A file, a folder of files, or one that datasets.save_to_disk wrote, below {folders}."
        else:
            del self.fields["path"]

    def clean(self) -> dict[str, Any]:
        given = {**(super().clean() or {})}
        if not self.errors and bool(given.get("file")) == bool(given.get("path")):
            wanted = "one of them" if "path" in self.fields else "one"
            self.add_error(
                "file", f"Found {'both a file and a path' if given.get('file') else 'no file'}; give {wanted}."
            )
        return given


@require_safe
def data_set_list(request: HttpRequest, slug: str) -> HttpResponse:
    """List the newest version of every data set."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    newest = DataSet.objects.filter(project=project).order_by("name", "-version").distinct("name")
    context = {
        "project": project,
        "crumbs": [_home_crumb(project), ("Data sets", "")],
        "page": Paginator(newest.select_related("created_by"), PER_PAGE).get_page(request.GET.get("page")),
        "may_register": _may_register(request.user, project),
    }
    return render(request, "data/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_data_set(request: HttpRequest, slug: str) -> HttpResponse:
    """Register rows, from a file or a path."""
    assert isinstance(request.user, User)
    if request.method != "POST":
        project = project_for(request.user, slug)
        return _form_page(request, project, DataSetForm(initial={"name": request.GET.get("name", "")[:40]}))
    project = project_for(request.user, slug, needs=Role.RUNNER)
    form = DataSetForm(request.POST, request.FILES)
    if not form.is_valid():
        return _form_page(request, project, form, status=422)
    try:
        added = _register(
            request.user, project, form.cleaned_data, request.POST.get("form_key", "").replace("\0", "")[:64]
        )
    except DataSetError as error:
        words = str(error)
        form.add_error(error.field if error.field in form.fields else None, f"{words[:1].upper()}{words[1:]}.")
        return _form_page(request, project, form, status=422)
    return redirect("data:detail", slug, added.name, added.version)


def _register(user: User, project: Project, given: dict[str, Any], form_key: str) -> DataSet:
    asked = DataSourceSpec(
        source=given.get("path") or "source", **{field: given[field] for field in ("name", "form", "grader", "use")}
    )
    if given.get("file"):
        return register_upload(project=project, user=user, asked=asked, file=given["file"], form_key=form_key)
    return register_path(project=project, user=user, asked=asked, form_key=form_key)


@require_safe
def data_set_page(request: HttpRequest, slug: str, name: str, version: int) -> HttpResponse:
    """Show a version: how its reading goes, then what it holds, its rows, what cannot be used, and where it is used."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    data_set = find_data_set(project, name, version)
    context = {
        "project": project,
        "data_set": data_set,
        "crumbs": [_home_crumb(project), ("Data sets", reverse("data:list", args=[slug])), (str(data_set), "")],
        "may_register": _may_register(request.user, project),
        "versions": DataSet.objects.filter(project=project, name=name).order_by("-version"),
        "is_under_way": data_set.status in (Status.QUEUED, Status.RUNNING),
    }
    if request.GET.get("part") == "progress":
        answer = render(request, "data/_progress.html", context)
        if not context["is_under_way"]:
            answer.headers["HX-Refresh"] = "true"  # there is more to show than the part that asked
        return answer
    if data_set.is_ready:
        context |= _contents(request, data_set)
    elif data_set.status == Status.FAILED:
        context["bad_rows"] = records_of(folder_of(data_set).bad_rows, BadRowRecord, start=0, n=PER_PAGE)
    return render(request, "data/detail.html", context)


def _contents(request: HttpRequest, data_set: DataSet) -> dict[str, Any]:
    facts, folder = data_set.facts, folder_of(data_set)
    rows = Paginator(range(facts.n_rows), PER_PAGE).get_page(request.GET.get("page"))
    bad = Paginator(range(facts.n_bad), PER_PAGE).get_page(request.GET.get("bad"))
    most = max((n for _, n in facts.histogram), default=1)
    return {
        "facts": facts,
        "bad_share": facts.n_bad / max(facts.n_rows + facts.n_bad + facts.n_repeated, 1),
        "bins": [(up_to, n, 100 * n / most) for up_to, n in facts.histogram],
        "use": USES[data_set.use],
        "splits": [(split, facts.splits[split]) for split in SPLITS if split in facts.splits],
        "page": rows,
        "rows": records_of(folder.rows, RowRecord, start=rows.start_index() - 1, n=PER_PAGE),
        "bad_page": bad,
        "bad_rows": records_of(folder.bad_rows, BadRowRecord, start=max(bad.start_index() - 1, 0), n=PER_PAGE),
        "same": DataSet.objects.filter(project=data_set.project, name=data_set.name, digest=data_set.digest)
        .exclude(pk=data_set.pk)
        .order_by("version"),
        "recipes": pinning(Recipe, data_set)[:20],
        "runs": pinning(Run, data_set)[:20],
    }


@require_POST
def delete_data_set_page(request: HttpRequest, slug: str, name: str, version: int) -> HttpResponse:
    """Delete a version that nothing needs."""
    assert isinstance(request.user, User)
    data_set = find_data_set(project_for(request.user, slug, needs=Role.RUNNER), name, version)
    with refusals_told(request):
        delete_data_set(data_set, by=request.user)
        messages.success(request, f"{name} v{version} is deleted.")
        return redirect("data:list", slug)
    return redirect("data:detail", slug, name, version)


@require_POST
def read_data_set_again(request: HttpRequest, slug: str, name: str, version: int) -> HttpResponse:
    """Queue a registration that failed."""
    assert isinstance(request.user, User)
    data_set = find_data_set(project_for(request.user, slug, needs=Role.RUNNER), name, version)
    read_again(data_set)
    messages.success(request, f"{data_set} is read again.")
    return redirect("data:detail", slug, name, version)


@require_safe
def leaks_part(request: HttpRequest, slug: str, check: str) -> HttpResponse:
    """Answer how far a check is, or what it found: the part of a page that asks for it."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    found = get_object_or_404(LeakCheck, project=project, public_id=check)
    return render(request, "data/_leaks.html", {"project": project, **leaks_context(found)})


def leaks_context(check: LeakCheck | None) -> dict[str, Any]:
    """What a page needs to show a check; nothing where there is nothing to compare."""
    if check is None:
        return {}
    is_under_way = check.status in (Status.QUEUED, Status.RUNNING)
    return {"leaks": check, "leaks_under_way": is_under_way, "leak_report": report_of(check)}


def find_data_set(project: Project, name: str, version: int) -> DataSet:
    """Find a version; Http404 where there is none."""
    rows = DataSet.objects.select_related("created_by", "project")
    return get_object_or_404(rows, project=project, name=name, version=version)


def _form_page(request: HttpRequest, project: Project, form: DataSetForm, *, status: int = 200) -> HttpResponse:
    assert isinstance(request.user, User)
    context = {
        "project": project,
        "crumbs": [_home_crumb(project), ("Data sets", reverse("data:list", args=[project.slug])), ("Register", "")],
        "form": form,
        "form_key": request.POST.get("form_key") or secrets.token_urlsafe(16),
        "role": role_in(request.user, project),
        "may_register": _may_register(request.user, project),
    }
    return render(request, "data/new.html", context, status=status)


def _home_crumb(project: Project) -> tuple[str, str]:
    return project.name, reverse("runs:list", args=[project.slug])


def _may_register(user: User, project: Project) -> bool:
    role = role_in(user, project)
    return role is not None and role.may(Role.RUNNER)

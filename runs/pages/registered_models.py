"""Models of a project: their list, the form that registers one, and what is known of it."""

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
from runs.lifecycle import read_again
from runs.models import Project, Recipe, RegisteredModel, Role, Run
from runs.pages.words import refusals_told
from runs.registered_models import (
    ModelError,
    model_folders,
    naming,
    register_folder,
    register_hub,
    remove,
    unfinished_runs,
)

PER_PAGE = 50
SHOWN = 20  # recipes and runs of a model


class ModelForm(forms.Form):
    """Register a model."""

    folder = forms.ChoiceField(
        label="Folder",
        required=False,
        help_text="Folders below MODELS_DIR that have a config.json. Recipes name the model so.",
    )
    hub = forms.CharField(
        label="Or name on the hub",
        required=False,
        max_length=200,
        help_text="Owner/name, as in Qwen/Qwen3-0.6B. A worker downloads safetensors, tokenizer and settings below MODELS_DIR.",
    )
    revision = forms.CharField(
        label="Revision on the hub",
        required=False,
        max_length=100,
        help_text="A branch, a tag or a commit; empty for the main branch.",
    )

    def __init__(self, *args: Any, folders: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["folder"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", "choose one" if folders else "all are registered already, or there is none"),
            *((name, name) for name in folders),
        ]
        if not settings.ALLOW_HUB:
            del self.fields["hub"], self.fields["revision"]

    def clean(self) -> dict[str, Any]:
        given = {**(super().clean() or {})}
        if not self.errors and bool(given.get("folder")) == bool(given.get("hub")):
            wanted = "choose one of them" if given.get("folder") else "choose one"
            self.add_error(
                "folder", f"Found {'both a folder and a hub name' if given.get('folder') else 'no folder'}; {wanted}."
            )
        return given


@require_safe
def model_list(request: HttpRequest, slug: str) -> HttpResponse:
    """List the project's models."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    rows = RegisteredModel.objects.filter(project=project).select_related("created_by")
    context = {
        "project": project,
        "crumbs": [_home_crumb(project), ("Models", "")],
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "may_register": _may_register(request.user, project),
    }
    return render(request, "models/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_model(request: HttpRequest, slug: str) -> HttpResponse:
    """Register a folder, or have a model of the hub downloaded."""
    assert isinstance(request.user, User)
    if request.method != "POST":
        project = project_for(request.user, slug)
        return _form_page(request, project, ModelForm(folders=_unregistered(project)))
    project = project_for(request.user, slug, needs=Role.RUNNER)
    form = ModelForm(request.POST, folders=model_folders())  # one that is there already leads to its page
    if not form.is_valid():
        return _form_page(request, project, form, status=422)
    try:
        added = _register(request.user, project, form.cleaned_data)
    except ModelError as error:
        words = str(error)
        form.add_error(error.field if error.field in form.fields else None, f"{words[:1].upper()}{words[1:]}.")
        return _form_page(request, project, form, status=422)
    return redirect("models:detail", slug, added.public_id)


def _register(user: User, project: Project, given: dict[str, Any]) -> RegisteredModel:
    if given.get("hub"):
        return register_hub(project=project, user=user, hub=given["hub"], revision=given.get("revision", ""))[0]
    return register_folder(project=project, user=user, folder=given["folder"])[0]


@require_safe
def model_page(request: HttpRequest, slug: str, model: str) -> HttpResponse:
    """Show a model: how the look at it goes, then what it is and where it is used."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug)
    found = find_model(project, model)
    context = {
        "project": project,
        "model": found,
        "crumbs": [_home_crumb(project), ("Models", reverse("models:list", args=[slug])), (str(found), "")],
        "may_register": _may_register(request.user, project),
        "unfinished": unfinished_runs(found).first(),
        "recipes": naming(Recipe.objects.filter(project=project), found).order_by("-created_at")[:SHOWN],
        "runs": naming(Run.objects.filter(project=project), found).order_by("-number")[:SHOWN],
    }
    if request.GET.get("part") == "progress":
        answer = render(request, "models/_progress.html", context)
        if not found.is_under_way:
            answer.headers["HX-Refresh"] = "true"  # there is more to show than the part that asked
        return answer
    return render(request, "models/detail.html", context | ({"facts": found.facts} if found.is_ready else {}))


@require_POST
def look_again(request: HttpRequest, slug: str, model: str) -> HttpResponse:
    """Queue a look that failed."""
    assert isinstance(request.user, User)
    found = find_model(project_for(request.user, slug, needs=Role.RUNNER), model)
    read_again(found)
    messages.success(request, f"{found} is looked at again.")
    return redirect("models:detail", slug, model)


@require_POST
def remove_model(request: HttpRequest, slug: str, model: str) -> HttpResponse:
    """Forget a registration."""
    assert isinstance(request.user, User)
    found = find_model(project_for(request.user, slug, needs=Role.RUNNER), model)
    with refusals_told(request):
        remove(found, by=request.user)
        messages.success(request, f"Removed the registration of {found.folder}. Its files are still below MODELS_DIR.")
        return redirect("models:list", slug)
    return redirect("models:detail", slug, model)


def find_model(project: Project, public_id: str) -> RegisteredModel:
    """Find a model; Http404 where there is none."""
    rows = RegisteredModel.objects.select_related("created_by", "project")
    return get_object_or_404(rows, project=project, public_id=public_id.replace("\0", ""))


def _form_page(request: HttpRequest, project: Project, form: ModelForm, *, status: int = 200) -> HttpResponse:
    assert isinstance(request.user, User)
    context = {
        "project": project,
        "crumbs": [_home_crumb(project), ("Models", reverse("models:list", args=[project.slug])), ("Register", "")],
        "form": form,
        "n_folders": len(model_folders()),
        "allows_hub": settings.ALLOW_HUB,
        "role": role_in(request.user, project),
        "may_register": _may_register(request.user, project),
    }
    return render(request, "models/new.html", context, status=status)


def _unregistered(project: Project) -> list[str]:
    known = set(RegisteredModel.objects.filter(project=project).values_list("folder", flat=True))
    return [folder for folder in model_folders() if folder not in known]


def _home_crumb(project: Project) -> tuple[str, str]:
    return project.name, reverse("runs:list", args=[project.slug])


def _may_register(user: User, project: Project) -> bool:
    role = role_in(user, project)
    return role is not None and role.may(Role.RUNNER)

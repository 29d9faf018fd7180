"""Discussion: the drift page's section, a run's threads, the page of one thread, and what can be done there."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count, F, Max, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs import discussions, notices
from runs.access import project_for, role_in
from runs.anchors import (
    Anchor,
    AnchorError,
    CellAnchor,
    RunAnchor,
    anchor_of,
    anchor_url,
    anchor_words,
    cell_of,
    stored_anchor,
)
from runs.models import Comment, Project, Role, Run, Thread
from runs.pages.comment_text import comment_html
from runs.pages.find import find_run
from runs.pages.words import first_error, refusals_told, sentence

MAX_SHOWN = 20  # threads on the drift page; the run's own list has them all
_NUMBERS = ("item", "step", "group")
_FIELDS = ("kind", "stage", "row", "domain", "metric", *_NUMBERS)


class CommentForm(forms.Form):
    """Some words."""

    text = forms.CharField(
        label="Comment",
        max_length=discussions.MAX_TEXT,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Plain text. @name tells a member.",
    )


# A run's threads ----------------------------------------------------------------------------------------------------


def discussion_section(run: Run, role: Role | None, *, cell: str) -> dict[str, Any]:
    """What the drift page's section shows: the run's threads, and a form about the chosen cell, or the run."""
    threads = _threads(run)
    row, _, domain = cell.partition(":")
    anchor = CellAnchor(row=row, domain=domain) if cell else RunAnchor()
    return {
        "lines": [_line(thread, cell) for thread in _nearest(threads, cell)],
        "n_hidden": max(0, len(threads) - MAX_SHOWN),
        "discussed": _discussed_cells(threads),
        "about": anchor_words(anchor),
        "fields": _hidden(anchor),
        "is_cell": bool(cell),
        "may_comment": role is not None and role.may(discussions.COMMENT),
        "form": CommentForm(auto_id="new-%s"),
        "form_key": cell.replace(":", "-") or "run",
    }


@require_http_methods(["GET", "HEAD", "POST"])
def run_threads(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """List a run's threads; start one about the place that the query or the form names."""
    assert isinstance(request.user, User)
    needs = discussions.COMMENT if request.method == "POST" else Role.VIEWER
    run = find_run(request, slug, number, needs=needs)
    data = request.POST if request.method == "POST" else request.GET
    try:
        anchor, problem = _asked(data, run), ""
    except AnchorError as error:
        anchor, problem = RunAnchor(), sentence(error)
    form = CommentForm(request.POST) if request.method == "POST" else CommentForm()
    if request.method == "POST" and not problem and form.is_valid():
        thread = discussions.start_thread(run, anchor, form.cleaned_data["text"], by=request.user)
        messages.success(request, "Your comment is there.")
        return redirect(thread_url(thread))
    role = role_in(request.user, run.project)
    context = {
        "project": run.project,
        "run": run,
        "role": role,
        "lines": [_line(thread) for thread in _threads(run)],
        "about": anchor_words(anchor),
        "anchor_url": anchor_url(anchor, run),
        "fields": _hidden(anchor),
        "problem": problem,
        "form": form,
        "may_comment": role is not None and role.may(discussions.COMMENT),
        "n_scored": run.n_scored,
        "status": run.status.label,
        "crumbs": _crumbs(run, ("Discussion", "")),
    }
    return render(request, "threads.html", context, status=422 if request.method == "POST" or problem else 200)


def _asked(data: QueryDict, run: Run) -> Anchor:
    """Read the place that a query or a form names; none is the run. A cell with an item is that item."""
    document: dict[str, Any] = {name: data[name] for name in _FIELDS if data.get(name)}
    for name in _NUMBERS:
        if name in document:
            number = document[name]
            document[name] = int(number) if number.isdecimal() and len(number) < 10 else number
    if document.get("kind") == "cell" and "item" in document:
        document["kind"] = "item"
    return anchor_of(document, run) if document else RunAnchor()


def _hidden(anchor: Anchor) -> list[tuple[str, object]]:
    return list(anchor.model_dump().items())


def _threads(run: Run) -> list[Thread]:
    """Open ones first, the newest of them first; with how many comments they have and the words of the first."""
    first = Comment.objects.filter(thread=OuterRef("pk")).order_by("pk").values("text")[:1]
    threads: list[Thread] = list(
        Thread.objects.filter(run=run)
        .select_related("created_by")
        .annotate(
            n_comments=Count("comments", filter=Q(comments__deleted_at=None)),
            last_at=Max("comments__created_at"),
            first_text=Subquery(first),
        )
        .order_by(F("resolved_at").desc(nulls_first=True), "-pk")
    )
    for thread in threads:
        thread.run = run
    return threads


def _nearest(threads: list[Thread], cell: str) -> list[Thread]:
    """The threads that the drift page has room for, those of the chosen cell first."""
    return sorted(threads, key=lambda thread: not cell or cell_of(stored_anchor(thread.anchor)) != cell)[:MAX_SHOWN]


def _line(thread: Thread, cell: str = "") -> dict[str, Any]:
    anchor = stored_anchor(thread.anchor)
    return {
        "thread": thread,
        "url": thread_url(thread),
        "about": anchor_words(anchor),
        "is_chosen": bool(cell) and cell_of(anchor) == cell,
    }


def _discussed_cells(threads: Sequence[Thread]) -> frozenset[str]:
    """Name the cells with open threads; a thread about another place is in none."""
    cells = (cell_of(stored_anchor(thread.anchor)) for thread in threads if not thread.resolved_at)
    return frozenset(cell for cell in cells if cell)


# A thread's page ----------------------------------------------------------------------------------------------------


@require_safe
def thread_page(request: HttpRequest, slug: str, thread: str) -> HttpResponse:
    """Show a thread; its notices count as read from then on."""
    assert isinstance(request.user, User)
    found = find_thread(request, slug, thread)
    notices.mark_read(notices.notices_of(request.user).filter(comment__thread=found))
    return _page(request, found)


@require_POST
def reply(request: HttpRequest, slug: str, thread: str) -> HttpResponse:
    """Add a comment."""
    assert isinstance(request.user, User)
    found = find_thread(request, slug, thread, needs=discussions.COMMENT)
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form=form, status=422)
    comment = discussions.reply(found, form.cleaned_data["text"], by=request.user)
    return redirect(f"{thread_url(found)}#{comment.public_id}")


@require_POST
def resolve(request: HttpRequest, slug: str, thread: str) -> HttpResponse:
    """Close a thread."""
    assert isinstance(request.user, User)
    found = find_thread(request, slug, thread, needs=discussions.COMMENT)
    with refusals_told(request):
        discussions.resolve(found, by=request.user)
    return redirect(thread_url(found))


@require_POST
def reopen(request: HttpRequest, slug: str, thread: str) -> HttpResponse:
    """Open a resolved thread again."""
    found = find_thread(request, slug, thread, needs=discussions.COMMENT)
    with refusals_told(request):
        discussions.reopen(found)
    return redirect(thread_url(found))


@require_POST
def edit_comment(request: HttpRequest, slug: str, comment: str) -> HttpResponse:
    """Change one's own words."""
    assert isinstance(request.user, User)
    found = _find_comment(request, slug, comment)
    form = CommentForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Your comment is as it was. {first_error(form)}")
        return redirect(thread_url(found.thread))
    with refusals_told(request):
        discussions.edit(found, form.cleaned_data["text"], by=request.user)
    return redirect(f"{thread_url(found.thread)}#{found.public_id}")


@require_POST
def delete_comment(request: HttpRequest, slug: str, comment: str) -> HttpResponse:
    """Take one's own words back."""
    assert isinstance(request.user, User)
    found = _find_comment(request, slug, comment)
    with refusals_told(request):
        discussions.delete(found, by=request.user)
        messages.success(request, "Deleted. That there was a comment stays to be seen.")
    return redirect(thread_url(found.thread))


def find_thread(request: HttpRequest, slug: str, public_id: str, *, needs: Role = Role.VIEWER) -> Thread:
    """Find a thread of a project for a member; Http404 for strangers, RoleTooLowError below the role."""
    assert isinstance(request.user, User)
    project = project_for(request.user, slug, needs=needs)
    threads = Thread.objects.select_related("run__project", "created_by", "resolved_by")
    return get_object_or_404(threads, run__project=project, public_id=public_id)


def thread_url(thread: Thread) -> str:
    return reverse("thread", args=(thread.run.project.slug, thread.public_id))


def _find_comment(request: HttpRequest, slug: str, public_id: str) -> Comment:
    assert isinstance(request.user, User)
    project = project_for(request.user, slug, needs=discussions.COMMENT)
    comments = Comment.objects.select_related("thread__run__project", "author")
    return get_object_or_404(comments, thread__run__project=project, public_id=public_id)


def _page(request: HttpRequest, thread: Thread, *, form: CommentForm | None = None, status: int = 200) -> HttpResponse:
    assert isinstance(request.user, User)
    run, anchor = thread.run, stored_anchor(thread.anchor)
    role = role_in(request.user, run.project)
    may_comment = role is not None and role.may(discussions.COMMENT)
    context = {
        "project": run.project,
        "run": run,
        "thread": thread,
        "about": anchor_words(anchor),
        "anchor_url": anchor_url(anchor, run),
        "comments": _comments(thread, request.user, may_comment=may_comment),
        "form": form or CommentForm(),
        "may_comment": may_comment,
        "role": role,
        "crumbs": _crumbs(
            run,
            ("Discussion", reverse("runs:threads", args=(run.project.slug, run.number))),
            (anchor_words(anchor), ""),
        ),
    }
    return render(request, "thread.html", context, status=status)


def _comments(thread: Thread, user: User, *, may_comment: bool) -> list[dict[str, Any]]:
    members = _names(thread.run.project)

    def written(text: str) -> str:
        return comment_html(text, members=members, slug=thread.run.project.slug)

    return [
        {
            "comment": comment,
            "html": written(comment.text),
            "edits": [(edit, written(edit.text)) for edit in comment.edits.all()],
            "form": CommentForm({"text": comment.text}, auto_id=f"{comment.public_id}-%s"),
            "may_change": may_comment and comment.author_id == user.pk and comment.deleted_at is None,
        }
        for comment in thread.comments.select_related("author").prefetch_related("edits")
    ]


def _names(project: Project) -> set[str]:
    return set(project.members.values_list("username", flat=True))


def _crumbs(run: Run, *rest: tuple[str, str]) -> list[tuple[str, str]]:
    slug = run.project.slug
    return [
        (run.project.name, reverse("runs:list", args=(slug,))),
        (str(run), reverse("runs:detail", args=(slug, run.number))),
        *rest,
    ]

"""A person's notices: mentions, threads they take part in, reviews they are asked for, and what gates found."""

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from runs import notices
from runs.anchors import anchor_words, stored_anchor
from runs.models import Notice
from runs.pages.proposals import proposal_url
from runs.pages.threads import thread_url

PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
def inbox(request: HttpRequest) -> HttpResponse:
    """List a person's notices, newest first; mark one or all of them read."""
    assert isinstance(request.user, User)
    mine = notices.notices_of(request.user)
    if request.method == "POST":
        number = request.POST.get("notice", "")
        one = mine.filter(pk=int(number)) if number.isdecimal() and len(number) < 19 else mine.none()
        notices.mark_read(mine if number == "all" else one)
        return redirect("inbox")
    rows = mine.select_related(
        "actor", "project", "comment__thread__run__project", "proposal__project", "proposal__checkpoint__run",
        "proposal__checkpoint__stage", "gate_check__checkpoint__run__project",
    )  # fmt: skip
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "crumbs": [("Inbox", "")],
        "page": page,
        "lines": [_line(notice) for notice in page],
    }
    return render(request, "inbox.html", context)


def _line(notice: Notice) -> dict[str, object]:
    """A notice with what it is about and where that is."""
    if notice.comment is not None:
        thread = notice.comment.thread
        about = f"{anchor_words(stored_anchor(thread.anchor))} of {thread.run}"
        return {"notice": notice, "url": f"{thread_url(thread)}#{notice.comment.public_id}", "about": about}
    if notice.gate_check is not None:
        run = notice.gate_check.checkpoint.run
        return {"notice": notice, "url": reverse("runs:detail", args=(run.project.slug, run.number)), "about": str(run)}
    assert notice.proposal is not None
    return {"notice": notice, "url": proposal_url(notice.proposal), "about": f"sign-off of {notice.proposal}"}

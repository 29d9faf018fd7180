"""A person's API tokens. Only a digest of each is kept, so a token is shown once, when it is made."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from knox.models import AuthToken

_LIFETIMES = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year", "": "never"}


class TokenForm(forms.Form):
    """Make a token."""

    days = forms.ChoiceField(
        label="Expires after",
        choices=list(_LIFETIMES.items()),
        initial="90",
        required=False,
        help_text="A token can do what you can do. Give it no longer than it is needed.",
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """List the person's tokens; make one, and show it this once; revoke one."""
    assert isinstance(request.user, User)
    if request.method == "POST" and request.POST.get("op") == "revoke":
        n_gone, _ = AuthToken.objects.filter(
            user=request.user, digest=request.POST.get("token", "").replace("\0", "")
        ).delete()
        if n_gone:
            messages.success(request, "Revoked. Programs that use this token are locked out from now on.")
        return redirect("tokens")
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["days"]
        _, secret = AuthToken.objects.create(request.user, expiry=timedelta(days=int(days)) if days else None)
        return _page(request, TokenForm(), secret=secret)
    return _page(request, form, status=422 if request.method == "POST" else 200)


def _page(request: HttpRequest, form: TokenForm, *, secret: str = "", status: int = 200) -> HttpResponse:
    context = {
        "tokens": AuthToken.objects.filter(user=request.user).order_by("-created"),
        "form": form,
        "secret": secret,
        "now": timezone.now(),
        "crumbs": [("API tokens", "")],
        "address": request.build_absolute_uri("/api/v1/"),
    }
    return render(request, "tokens.html", context, status=status)

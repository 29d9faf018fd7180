"""Signing in: by password, or by a one-time link; and setting the password that the first user does not have yet."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from sesame.views import LoginView as LinkView

_HTTP_GONE = 410


class SignIn(LoginView):
    """Sign in by user name and password."""

    template_name = "registration/login.html"


@method_decorator([login_not_required, never_cache], name="dispatch")
class SignInByLink(LinkView):  # type: ignore[misc]
    """Sign in by a one-time link; one that was used or is too old says how to get another."""

    def login_failed(self) -> HttpResponse:
        form = AuthenticationForm(self.request)
        return render(self.request, "registration/login.html", {"form": form, "link_expired": True}, status=_HTTP_GONE)

    def login_success(self) -> HttpResponseBase:
        if not self.request.user.has_usable_password():
            messages.info(self.request, "Signed in. You have no password yet; set one under your name in the menu.")
        answer: HttpResponseBase = super().login_success()
        return answer


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Set a password, or change it."""
    assert isinstance(request.user, User)
    kind: Any = PasswordChangeForm if request.user.has_usable_password() else SetPasswordForm
    form = kind(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        update_session_auth_hash(request, form.user)  # stay signed in here
        messages.success(request, "Password saved.")
        return redirect("home")
    context = {"form": form, "crumbs": [("Password", "")], "is_first": kind is SetPasswordForm}
    return render(request, "registration/password.html", context, status=422 if request.method == "POST" else 200)

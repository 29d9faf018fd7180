"""How large a request's body may be, decided before any of it is read: Django would write all of it to disk first.

Files are large, and only those who may register them in that project may send them.
"""

import re
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import Http404, HttpResponse
from rest_framework.exceptions import AuthenticationFailed

from runs.access import project_for
from runs.api.authentication import BearerAuthentication
from runs.models import Role

MAX_BODY = 5_000_000  # bytes; above any form or recipe, which have limits of their own
_UPLOAD = re.compile(r"(?:/api/v1)?/projects/([^/\0]+)/(?:data-sets|data/new)/")


def largest_body(scope: dict[str, Any]) -> int:
    """Say how many bytes a request may have, an upload with what stands around its file."""
    upload = _UPLOAD.fullmatch(scope["path"]) if scope["method"] == "POST" else None
    if upload is None or not _may_upload(scope, upload[1]):
        return MAX_BODY
    return int(settings.MAX_UPLOAD_BYTES) + MAX_BODY


def _may_upload(scope: dict[str, Any], slug: str) -> bool:
    close_old_connections()  # this comes before the request that would see to it
    try:
        sender = _sender(ASGIRequest(scope, BytesIO()))
        return sender is not None and bool(project_for(sender, slug, needs=Role.RUNNER))
    except (Http404, PermissionDenied, AuthenticationFailed):
        return False
    finally:
        close_old_connections()


def _sender(request: Any) -> User | None:
    """Find who sends a request, by its token or its session."""
    if found := BearerAuthentication().authenticate(request):
        user: User = found[0]
        return user
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    known = get_user(request)
    return known if isinstance(known, User) else None

"""Errors as RFC 9457 problem documents, with a `code` that stays the same when the words change."""

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, JsonResponse
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError

from runs.access import RoleTooLowError
from runs.lifecycle import NotPossibleError
from workers.recipe_text import FieldProblem, RecipeError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class _Problem:
    status: int
    code: str
    detail: str
    errors: list[FieldProblem] = field(default_factory=list)


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer any error of an API view; None lets it rise, which only debugging wants."""
    problem, request_id = _describe(error), uuid.uuid4().hex
    if problem is None:
        if settings.DEBUG:
            return None
        logger.error("request %s to %s failed", request_id, context["request"].path, exc_info=error)
        problem = _Problem(500, "internal_error", "this is our fault and is in the server's log; give its request_id")
    response = _answer(problem, request_id)
    if auth_header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = auth_header
    return response


def database_away() -> HttpResponse:
    """Answer where the database does not, so that not even the person is known."""
    problem, request_id = _describe(OperationalError()), uuid.uuid4().hex
    assert problem is not None
    return _answer(problem, request_id)


def _answer(problem: _Problem, request_id: str) -> HttpResponse:
    headers = {"X-Request-ID": request_id, **({"Retry-After": "10"} if problem.status == 503 else {})}
    return JsonResponse(_document(problem, request_id), status=problem.status, content_type=MEDIA_TYPE, headers=headers)


def _describe(error: Exception) -> _Problem | None:
    match error:
        case RecipeError():
            return _Problem(422, "invalid_recipe", "this recipe cannot be carried out; see errors", error.problems)
        case ValidationError():
            return _Problem(
                422, "invalid", "the request cannot be carried out; see errors", list(_fields(error.detail))
            )
        case NotPossibleError():
            return _Problem(409, error.code, str(error))
        case RoleTooLowError():
            return _Problem(403, "role_too_low", str(error))
        case Http404():
            return _Problem(404, "not_found", str(error) or "there is no such thing, or it is not yours to see")
        case PermissionDenied():
            return _Problem(403, "permission_denied", str(error) or "you may not do this")
        case OperationalError() | InterfaceError():
            return _Problem(503, "unavailable", "the database does not answer; try again in a minute")
        case APIException():
            return _Problem(error.status_code, str(error.get_codes()), str(error.detail))
    return None


def _document(problem: _Problem, request_id: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.errors:
        document["errors"] = [_field_error(found) for found in problem.errors]
    return document


def _field_error(found: FieldProblem) -> dict[str, Any]:
    name = found.field if found.path else "body"
    error = {"path": _pointer(found.path), "field": name, "message": found.message, "code": found.code}
    return error if found.line is None else {**error, "line": found.line}


def _fields(detail: Any, path: tuple[str | int, ...] = ()) -> Iterator[FieldProblem]:
    """Flatten the nested errors of a serializer."""
    if isinstance(detail, ErrorDetail):
        yield FieldProblem(path, str(detail), detail.code or "invalid")
    elif isinstance(detail, dict):
        for key, inner in detail.items():
            yield from _fields(inner, path if key == "non_field_errors" else (*path, key))
    else:
        for inner in detail:
            yield from _fields(inner, path)


def _pointer(path: tuple[str | int, ...]) -> str:
    """Write a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)

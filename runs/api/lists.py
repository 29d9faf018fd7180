"""Lists in pages: `{"results": [...], "next_cursor": "..." or null}`, in an order that no new row disturbs."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

MAX_LIMIT = 500


class Paging(serializers.Serializer[Any]):
    """Query parameters of a list."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=100, help_text="Most results to answer.")
    cursor = serializers.CharField(default="", help_text="The next_cursor of the page before; left out for the first.")


def paged(
    request: Request,
    rows: QuerySet[Any],
    shape: type[serializers.BaseSerializer[Any]],
    *,
    key: str,
    order: str,
    read: Callable[[list[Any]], list[Any]] | None = None,
) -> Response:
    """Answer one page.

    key: the public name of a row, unique among `rows`; the last row's is the cursor.
    order: a field, with '-' for descending, that is unique among `rows` too.
    read: makes of a page's rows what is shown, where that is not the rows themselves.
    """
    asked = query(request, Paging)
    found = list(_after(rows.order_by(order), asked["cursor"], key, order)[: asked["limit"] + 1])
    page, more = found[: asked["limit"]], len(found) > asked["limit"]
    return Response(
        {
            "results": shape(read(page) if read else page, many=True, context={"request": request}).data,
            "next_cursor": str(getattr(page[-1], key)) if more else None,
        }
    )


def whole(rows: Any, shape: type[serializers.BaseSerializer[Any]]) -> Response:
    """Answer a list that a recipe bounds, in the same form, on one page."""
    return Response({"results": shape(rows, many=True).data, "next_cursor": None})


def page_of(shape: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Describe such a page for the schema."""
    cursor = serializers.CharField(allow_null=True, help_text="Give it as ?cursor= for what follows; null on the last.")
    fields: dict[str, serializers.Field[Any, Any, Any, Any]] = {"results": shape(many=True), "next_cursor": cursor}
    return inline_serializer(f"{shape.__name__}Page", fields)


def query(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Read query parameters; those that the shape does not know are ignored."""
    asked = shape(data=request.query_params)
    asked.is_valid(raise_exception=True)
    values: dict[str, Any] = asked.validated_data
    return values


def _after(rows: QuerySet[Model], cursor: str, key: str, order: str) -> QuerySet[Model]:
    if not cursor:
        return rows
    field = order.removeprefix("-")
    try:
        last = rows.filter(**{key: cursor}).values_list(field, flat=True).first()
    except ValueError:  # a cursor that the key's column cannot even hold
        last = None
    if last is None:
        words = "found a cursor that this list never gave; start again without one"
        raise ValidationError({"cursor": ErrorDetail(words, "bad_cursor")})
    return rows.filter(**{f"{field}__{'lt' if order.startswith('-') else 'gt'}": last})

"""Addresses that are none: a problem like every other error, and only for people who are signed in."""

from django.http import Http404, HttpResponse
from django.urls import resolve
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

NAME = "api-unknown"


class UnknownAddress(APIView):
    """Tells an address that only lacks its last slash where it is (308: method and body kept), and others that they are none."""

    @extend_schema(exclude=True)
    def get(self, request: Request, rest: str) -> HttpResponse:
        if not rest.endswith("/") and resolve(f"{request.path_info}/").url_name != NAME:
            query = request.META["QUERY_STRING"]
            there = f"{request.path}/?{query}" if query else f"{request.path}/"
            return HttpResponse(status=308, headers={"Location": there})
        raise Http404("there is no such address in the API; its pages at /api/v1/docs/ list all")

    post = put = patch = delete = get
    options = get  # type: ignore[assignment]  # DRF says it answers its own Response

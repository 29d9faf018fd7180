"""Tokens for programs: each is shown once, when it is made, and kept only as a hash."""

from datetime import timedelta
from typing import Any

from django.http import Http404
from knox.models import AuthToken
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runs.api.bodies import Input
from runs.api.find import person
from runs.api.lists import Paging, page_of, paged
from runs.api.openapi import operation


class TokenOut(serializers.Serializer[Any]):
    key = serializers.CharField(source="token_key", help_text="The token's first characters, which name it")
    created_at = serializers.DateTimeField(source="created")
    expires_at = serializers.DateTimeField(source="expiry", allow_null=True)


class NewTokenOut(TokenOut):
    token = serializers.CharField(help_text="Shown only now")


class MakeToken(Input):
    days = serializers.IntegerField(min_value=1, max_value=365, default=90, help_text="Until it expires")


class Tokens(APIView):
    @operation(
        "list_tokens", "List your tokens, newest first", answer=page_of(TokenOut), parameters=[Paging], problems=(422,)
    )
    def get(self, request: Request) -> Response:
        mine = AuthToken.objects.filter(user=person(request))
        return paged(request, mine, TokenOut, key="token_key", order="-created")

    @operation(
        "make_token",
        "Make a token",
        about="Make a token. It acts as you, in all your projects. Asks for a session: a token cannot make another, "
        "so one that leaks ends when it expires or is revoked.",
        status=201,
        answer=NewTokenOut,
        body=MakeToken,
    )
    def post(self, request: Request) -> Response:
        if request.auth is not None:
            raise PermissionDenied("a token cannot make another; sign in to do this", code="needs_session")
        asked = MakeToken(data=request.data)
        asked.is_valid(raise_exception=True)
        expiry = timedelta(days=asked.validated_data["days"])
        made, token = AuthToken.objects.create(user=person(request), expiry=expiry)
        return Response({**TokenOut(made).data, "token": token}, status=201)


class TokenDetail(APIView):
    @operation("revoke_token", "Revoke a token", answer={204: None}, problems=(403, 404))
    def delete(self, request: Request, key: str) -> Response:
        revoked, _ = AuthToken.objects.filter(user=person(request), token_key=key).delete()
        if not revoked:
            raise Http404("you have no such token")
        return Response(status=204)

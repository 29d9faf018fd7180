"""Bearer tokens: knox's, with garbage in the header answered by 401 like any other wrong token."""

from typing import Any

from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]  # knox has no types
    def authenticate(self, request: Request) -> Any:
        try:
            return super().authenticate(request)
        except ValueError:  # bytes that are no text, or text that no database stores
            raise AuthenticationFailed("Invalid token.") from None


class BearerScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]
    """Tells the API's schema about the class above."""

    target_class = "runs.api.authentication.BearerAuthentication"
    name = "bearer"

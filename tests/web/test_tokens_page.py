"""API tokens in the browser: shown once, revoked by their owner only."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from knox.models import AuthToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(User.objects.create_user("ada"))
    return client


def _made(client: Client, days: str) -> str:
    page = client.post("/tokens/", {"days": days}).content.decode()
    found = re.search(r'id="token">(\w+)<', page)
    assert found
    return found[1]


def _projects(token: str) -> int:
    return Client().get("/api/v1/projects/", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_token_is_shown_once_and_opens_the_api_until_it_is_revoked(ada: Client) -> None:
    token = _made(ada, "30")
    assert _projects(token) == 200
    answer = ada.get("/tokens/")
    assert token not in answer.content.decode()
    assert token[:8] in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    ada.post("/tokens/", {"op": "revoke", "token": AuthToken.objects.get().digest})
    assert _projects(token) == 401


def test_a_token_expires_when_it_was_said_to(ada: Client) -> None:
    _made(ada, "7")
    token = AuthToken.objects.get()
    assert token.expiry is not None
    assert (token.expiry - token.created).days in (6, 7)
    _made(ada, "")
    assert AuthToken.objects.filter(expiry=None).count() == 1
    assert ada.post("/tokens/", {"days": "100000"}).status_code == 422


def test_nobody_revokes_or_sees_anothers_token(ada: Client) -> None:
    AuthToken.objects.create(User.objects.create_user("grace"))
    token = AuthToken.objects.get()
    assert token.token_key not in ada.get("/tokens/").content.decode()
    ada.post("/tokens/", {"op": "revoke", "token": token.digest})
    assert AuthToken.objects.count() == 1

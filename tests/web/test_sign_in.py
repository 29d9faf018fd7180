"""Signing in: by password, or by a link that works once; and a password for whoever has none."""

import pytest
import sesame.utils
from django.contrib.auth.models import User
from django.test import Client

from runs.access import ensure_first_user
from tests.web.some_runs import a_project

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
CLOSED = ("/", "/projects/team/new/", "/projects/team/recipes/", "/projects/team/members/", "/tokens/", "/password/")


@pytest.mark.parametrize("address", CLOSED)
def test_the_signed_out_see_nothing(address: str, client: Client) -> None:
    a_project()
    for answer in (client.get(address), client.post(address)):
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/sign-in/?next={address}")


def test_a_password_signs_in_and_leads_to_where_one_was_going(client: Client) -> None:
    User.objects.create_user("ada", password=PASSWORD)
    assert "Sign in" in client.get("/sign-in/?next=/tokens/").content.decode()
    wrong = client.post("/sign-in/", {"username": "ada", "password": "no"})
    assert "correct username and password" in wrong.content.decode()
    form = {"username": "ada", "password": PASSWORD, "next": "/tokens/"}
    assert client.post("/sign-in/", form).headers["Location"] == "/tokens/"
    elsewhere = client.post("/sign-in/", {**form, "next": "https://elsewhere.example/"})
    assert elsewhere.headers["Location"] == "/"


def test_a_link_signs_in_once(client: Client) -> None:
    link = "/sign-in/link/" + sesame.utils.get_query_string(ensure_first_user("ada"))
    page = client.get(link, follow=True).content.decode()
    assert "You have no password yet" in page
    second = Client().get(link)
    assert second.status_code == 410
    assert "That link no longer works" in second.content.decode()
    assert 'action="/sign-in/"' in second.content.decode()


@pytest.mark.parametrize("query", ["", "?sesame=", "?sesame=nonsense", "?sesame=%00"])
def test_a_broken_link_says_how_to_get_another(query: str, client: Client) -> None:
    assert client.get(f"/sign-in/link/{query}").status_code == 410


def test_the_first_user_sets_a_password_and_later_changes_it(client: Client) -> None:
    user = ensure_first_user("ada")
    client.force_login(user)
    assert "Set a password" in client.get("/password/").content.decode()
    short = client.post("/password/", {"new_password1": "short", "new_password2": "short"})
    assert short.status_code == 422
    client.post("/password/", {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert "Change your password" in client.get("/password/").content.decode()  # still signed in
    assert Client().login(username="ada", password=PASSWORD)
    assert client.post("/password/", {"new_password1": "x" * 12, "new_password2": "x" * 12}).status_code == 422


def test_signing_out_takes_a_post(client: Client) -> None:
    client.force_login(User.objects.create_user("ada"))
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/tokens/").status_code == 302

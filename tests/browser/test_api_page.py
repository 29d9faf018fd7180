"""The API's page in a real browser: it draws under our content policy, and calls the API in the person's name."""

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from runs.models import Role
from tests.web.some_clients import a_client
from tests.web.some_runs import a_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def opened(page: Page, live_server: LiveServer) -> Page:
    client = a_client(a_project(), Role.RUNNER)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    page.goto(f"{live_server.url}/api/v1/docs/")
    return page


def test_every_resource_is_listed(opened: Page) -> None:
    expect(opened.get_by_role("heading", name="API", exact=True)).to_be_visible()
    for resource in ("projects", "recipes", "runs", "stages", "metrics", "checkpoints", "drift", "tokens"):
        expect(opened.locator(f"#operations-tag-{resource}")).to_be_visible()


def test_an_operation_can_be_tried_out(opened: Page) -> None:
    opened.locator("#operations-tokens-make_token .opblock-summary-control").click()
    opened.get_by_role("button", name="Try it out").click()
    opened.get_by_role("button", name="Execute").click()
    expect(opened.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("201")

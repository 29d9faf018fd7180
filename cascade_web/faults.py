"""What a visitor is told when a request ends in a fault: a missing database is not our mistake, and says so."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.views.defaults import server_error

from runs.api.problems import database_away


def fault(request: HttpRequest) -> HttpResponse:
    """Answer 503 while the database does not answer, 500 for everything else; reads neither session nor database."""
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return server_error(request)
    if request.path.startswith("/api/"):
        return database_away()
    return HttpResponse(loader.get_template("503.html").render(), status=503, headers={"Retry-After": "10"})

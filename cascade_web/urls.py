"""Addresses: pages below /, the API below /api/v1/."""

from django.urls import include, path

urlpatterns = [
    path("", include("runs.pages.urls")),
    path("api/v1/", include("runs.api.urls")),
]

handler500 = "cascade_web.faults.fault"

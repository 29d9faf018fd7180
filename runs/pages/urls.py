"""Addresses of the pages."""

from django.urls import path

from runs.pages import home

run_pages = ([], "runs")
recipe_pages = ([], "recipes")

urlpatterns = [
    path("", home.home, name="home"),
]

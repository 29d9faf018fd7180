"""The Django app: what exists, what may happen next, how it looks."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs"

"""Wiring, no logic. Celery's application is imported here so that signatures by task name find their broker."""

from cascade_web.celery import app as celery_app

__all__ = ("celery_app",)

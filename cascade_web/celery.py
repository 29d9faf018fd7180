"""The Celery application. Messages are only nudges: the truth about who may work is in PostgreSQL."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cascade_web.settings")

app = Celery("cascade_web")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workers"])
app.autodiscover_tasks(["workers"], related_name="data_tasks")
app.autodiscover_tasks(["workers"], related_name="added_tasks")

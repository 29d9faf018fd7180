"""Messages that tell workers there may be something to claim. One that is lost costs time only: the beat sends another."""

import logging

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError

from runs.models import Run

logger = logging.getLogger(__name__)


def nudge(task: str, pk: int, run: Run) -> None:
    """Send the id of a row that is ready to the queue whose workers can read the run's model."""
    queue = settings.FOLDER_MODEL_QUEUE if run.document["model"]["kind"] == "folder" else "cpu"
    try:
        current_app.signature(task, args=(pk,)).apply_async(queue=queue, expires=60, retry=False)
    except (BrokerError, OSError) as error:
        logger.warning("no nudge for %s %s, the beat sends it again: %s", task, pk, error)

"""Messages that tell workers there may be something to claim. One that is lost costs time only: the beat sends another."""

import logging

from celery import current_app
from kombu.exceptions import OperationalError as BrokerError

logger = logging.getLogger(__name__)


def nudge(task: str, pk: int, queue: str) -> None:
    """Send a row's key to a task by its name; with the broker away, the beat's next round does."""
    try:
        current_app.signature(task, args=(pk,)).apply_async(queue=queue, expires=60, retry=False)
    except (BrokerError, OSError) as error:
        logger.warning("no nudge for %s %s, the beat sends it again: %s", task, pk, error)

"""Live events: that something about a run changed, told over Redis to the pages that show it."""

import json
import logging
from functools import cache

import redis
from django.conf import settings

from runs.models import AddedScoring, Checkpoint, Claimable, Stage, TopUp

logger = logging.getLogger(__name__)


def channel(run_public_id: str) -> str:
    """Name the channel of a run."""
    return f"run:{run_public_id}"


def publish(run_public_id: str, *what: str) -> None:
    """Tell listeners what changed (stages, steps, scores). A silent Redis costs only liveliness, so it is no error."""
    try:
        _client().publish(channel(run_public_id), json.dumps({"changed": what}))
    except redis.RedisError as error:
        logger.warning("no live event for %s: %s", run_public_id, error)


def tell(work: Claimable, *what: str) -> None:
    """Tell the pages of work's run that it changed; what belongs to no run has a page that asks by itself."""
    if isinstance(work, Stage | Checkpoint | TopUp | AddedScoring):
        publish(work.run.public_id, *what)


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)

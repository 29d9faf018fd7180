"""Whether this server can do its work, for a supervisor or a load balancer: no login, nothing secret."""

from datetime import timedelta

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from runs import ready
from runs.models import Checkpoint, Stage

UNCLAIMED_SECONDS = 60  # ready work that lies longer than this says that no worker listens


@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 if database, migrations and Redis are in order, else 503. A silent worker is told, but pages work."""
    database = _database()
    facts = {
        "database": database,
        "migrations": _migrations() if database == "ok" else "unknown",
        "redis": _redis(),
    }
    is_healthy = set(facts.values()) == {"ok"}
    worker = _worker() if facts["migrations"] == "ok" else "unknown"
    status = "ok" if is_healthy else "unavailable"
    return JsonResponse({"status": status, **facts, "worker": worker}, status=200 if is_healthy else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "unavailable"
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    return "pending" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except redis.RedisError:
        return "unavailable"
    return "ok"


def _worker() -> str:
    """Heard: something holds a lease. Silent: ready work lies unclaimed. Idle: there is nothing to hear of."""
    now = timezone.now()
    if any(kind.objects.filter(status="running", lease_until__gte=now).exists() for kind in (Stage, Checkpoint)):
        return "heard"
    overdue = now - timedelta(seconds=UNCLAIMED_SECONDS)
    is_silent = any(ready.filter(queued_at__lt=overdue).exists() for ready in (ready.stages(), ready.checkpoints()))
    return "silent" if is_silent else "idle"

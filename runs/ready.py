"""What waits for a worker, and the nudges that tell workers so. Nothing here changes a row.

A message that is lost costs seconds only: the beat tends everything again.
"""

import logging
from typing import Any

from celery import current_app
from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from runs import events
from runs.models import AddedScoring, Checkpoint, DataSet, LeakCheck, RegisteredModel, Run, Stage, Status, TopUp
from runs.needs import unmet_needs

logger = logging.getLogger(__name__)

DataWork = type[DataSet] | type[LeakCheck] | type[RegisteredModel]
DATA_TASKS: dict[DataWork, str] = {
    DataSet: "workers.register_data_set",
    LeakCheck: "workers.find_leaks",
    RegisteredModel: "workers.inspect_model",
}


def stages() -> QuerySet[Stage]:
    """The scheduler's query: stages that may be worked on, all they start from or learn from being there.

    Of a held run nothing queued is; what a lost worker left running is, for it had started.
    """
    missing = unmet_needs().filter(stage=OuterRef("pk"))
    held = Run.objects.filter(pk=OuterRef("run"), held_at__isnull=False)
    return (
        Stage.objects.filter(~Exists(missing)).filter(_is_claimable()).exclude(Q(status=Status.QUEUED) & Exists(held))
    )


def checkpoints() -> QuerySet[Checkpoint]:
    """Checkpoints that wait to be scored; of a stage's middle only while nothing else of the run waits for a worker."""
    unfinished = Stage.objects.filter(pk=OuterRef("stage")).exclude(
        status=Status.SUCCEEDED
    )  # no join: see lifecycle._claim
    ends = Checkpoint.objects.filter(_is_claimable(), is_mid_stage=False).exclude(Exists(unfinished))
    goes_first = Exists(ends.filter(run=OuterRef("run"))) | Exists(stages().filter(run=OuterRef("run")))
    being_made_anew = Q(is_mid_stage=False) & Exists(unfinished)
    return (
        Checkpoint.objects.filter(_is_claimable())
        .exclude(being_made_anew)
        .exclude(Q(is_mid_stage=True) & Q(goes_first))
    )


def top_ups() -> QuerySet[TopUp]:
    """Top-ups that wait for answers; a run that is paused, held or over has its checkpoints topped up all the same."""
    return TopUp.objects.filter(_is_claimable()).filter(Exists(_checkpoints_with_weights()))


def added_scorings() -> QuerySet[AddedScoring]:
    """Checkpoints that wait to be scored on added benchmarks, whatever the run does."""
    return AddedScoring.objects.filter(_is_claimable()).filter(Exists(_checkpoints_with_weights()))


def _checkpoints_with_weights() -> QuerySet[Checkpoint]:
    """The checkpoint of outer work, unless its weights are being made anew."""
    has_weights = Q(stage=None) | Q(stage__status=Status.SUCCEEDED)
    return Checkpoint.objects.filter(has_weights, pk=OuterRef("checkpoint"))


def _is_claimable() -> Q:
    lost = Q(status=Status.RUNNING, lease_until__lt=timezone.now())
    return Q(status=Status.QUEUED) | lost


def data(kind: DataWork) -> QuerySet[Any]:
    """Data sets that wait to be read, checks of some, or models to be looked at."""
    return kind.objects.filter(_is_claimable())


def tend(run: Run) -> None:
    """Nudge workers about everything of this run that is ready."""
    for stage in stages().filter(run=run):
        nudge("workers.train_stage", stage.pk, _queue(run))
    for checkpoint in checkpoints().filter(run=run):
        nudge("workers.score_checkpoint", checkpoint.pk, _queue(run))
    for top_up in top_ups().filter(run=run):
        nudge("workers.top_up", top_up.pk, _queue(run))
    for added in added_scorings().filter(run=run):
        nudge("workers.score_added", added.pk, _queue(run))
    events.publish(run.public_id, "stages")


def tend_all() -> None:
    """Tend every run that has something ready; the beat calls this for whatever was lost."""
    waiting = {
        run
        for rows in (stages(), checkpoints(), top_ups(), added_scorings())
        for run in rows.values_list("run", flat=True)
    }
    for run in Run.objects.filter(pk__in=waiting):
        tend(run)
    tend_data()


def tend_data() -> None:
    """Nudge workers about data sets to be read and compared, and models to be looked at."""
    for kind, task in DATA_TASKS.items():
        for pk in data(kind).values_list("pk", flat=True):
            nudge(task, pk, "cpu")


def _queue(run: Run) -> str:
    return settings.FOLDER_MODEL_QUEUE if run.document["model"]["kind"] == "folder" else "cpu"


def nudge(task: str, pk: int, queue: str) -> None:
    """Send a row's key to a task by its name; with the broker away, the beat's next round does."""
    try:
        current_app.signature(task, args=(pk,)).apply_async(queue=queue, expires=60, retry=False)
    except (BrokerError, OSError) as error:
        logger.warning("no nudge for %s %s, the beat sends it again: %s", task, pk, error)

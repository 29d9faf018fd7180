"""What may happen next: the only module that changes a status.

Every change is one UPDATE whose WHERE repeats the status it starts from, so two workers, or a worker and a person, never
both succeed. `attempt` fences late writers: whoever lost a claim changes 0 rows and learns it. Every path ends in `ready.tend`,
which sends a nudge for whatever is ready; a lost nudge is sent again by the beat.

    queued --claim--> running --finish--> succeeded
      ^                  |---fail-------> failed ----retry--> queued
      |                  '---release----> queued   (worker stopped, or its lease ran out)
      '--resume-- paused <--pause-- queued or running;  cancelled <--cancel-- all but succeeded and failed
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, PositiveSmallIntegerField, Q, QuerySet, When
from django.utils import timezone

from runs import events, ready
from runs.models import (
    AddedBenchmark,
    AddedScoring,
    Attempt,
    Benchmark,
    Checkpoint,
    DataSet,
    LeakCheck,
    Project,
    Recipe,
    RegisteredModel,
    Run,
    Stage,
    Status,
    TopUp,
)
from runs.needs import write_stages
from runs.reasons import reason_in_words
from workers.spec import FolderModelSpec

_AT_REST: dict[str, Any] = {"lease_until": None, "substep": "", "eta_s": None}  # work that nobody holds
MAX_KILLS = 3  # a process that is killed this often is not started again by itself
MAX_LOSSES = 5  # nor one whose worker was lost this often: it may be what takes the worker down
UNREADABLE = ("corrupt_checkpoint", "bad_spec")  # codes of a start or teacher that is damaged or gone
OPEN = (Status.QUEUED, Status.RUNNING, Status.PAUSED)
OVER = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
RunWork = Stage | Checkpoint | TopUp | AddedScoring
DataWork = DataSet | LeakCheck | RegisteredModel
Work = RunWork | DataWork


class NotPossibleError(ValueError):
    """What was asked does not fit the present status; the message says what does. `code` outlives a change of words."""

    def __init__(self, words: str, code: str = "not_possible") -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True)
class Claim:
    """The right to work on a row, until another attempt takes it."""

    work: Work
    attempt: int


# Start ----------------------------------------------------------------------------------------------------------


def start_run(*, project: Project, recipe: Recipe, user: User, name: str = "", seed: int | None = None) -> Run:
    """Write a run and all its stages in one transaction, then send the first nudges."""
    spec = recipe.spec if seed is None else recipe.spec.model_copy(update={"seed": seed})
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)  # run numbers have no gaps and no twins
        newest = Run.objects.filter(project=project).order_by("-number").first()
        run = Run.objects.create(
            project=project,
            recipe=recipe,
            number=newest.number + 1 if newest else 1,
            name=name or spec.name,
            document=spec.model_dump(mode="json"),
            created_by=user,
        )
        write_stages(run, spec)
        if isinstance(spec.model, FolderModelSpec):
            Checkpoint.objects.create(run=run, stage=None, at_step=0, folder=spec.model.folder)
        transaction.on_commit(lambda: ready.tend(run))
    return run


# Claim, beat, end: what workers do ------------------------------------------------------------------------------


def _go_on(work: Work) -> None:
    """Nudge workers about what the end of this work makes ready, or what it leaves to be done."""
    if isinstance(work, RunWork):
        ready.tend(work.run)
    else:
        ready.tend_data()


def claim_stage(pk: int, *, worker: str) -> Claim | None:
    """Take a ready stage; None if another worker was faster or it is no longer ready."""
    return _claim(ready.stages(), Stage, pk, worker)


def claim_checkpoint(pk: int, *, worker: str) -> Claim | None:
    """Take a checkpoint for scoring; None if another worker was faster."""
    return _claim(ready.checkpoints(), Checkpoint, pk, worker)


def claim_top_up(pk: int, *, worker: str) -> Claim | None:
    """Take a top-up; None if another worker was faster."""
    return _claim(ready.top_ups(), TopUp, pk, worker)


def claim_added_scoring(pk: int, *, worker: str) -> Claim | None:
    """Take the scoring of an added benchmark; None if another worker was faster."""
    return _claim(ready.added_scorings(), AddedScoring, pk, worker)


def claim_data(kind: type[DataWork], pk: int, *, worker: str) -> Claim | None:
    """Take a data set to be read, a check of some, or a model to be looked at; None if another worker was faster."""
    return _claim(ready.data(kind), kind, pk, worker)


def _claim(waiting: Any, kind: type[Work], pk: int, worker: str) -> Claim | None:
    # A row that another worker has just changed is looked at again, but only by the conditions on the row itself: were
    # they inside a subquery, as a join would put them, both workers would have it.
    now, lost = timezone.now(), When(status=Status.RUNNING, then=F("kills") + 1)  # still running: its worker was lost
    with transaction.atomic():
        changed = waiting.filter(pk=pk).update(
            status=Status.RUNNING,
            attempt=F("attempt") + 1,
            kills=Case(lost, default=F("kills"), output_field=PositiveSmallIntegerField()),
            worker=worker,
            lease_until=_lease_end(),
            started_at=now,
            finished_at=None,
            failure_code="",
            failure_reason="",
        )
        if changed != 1:
            return None
        work = kind.objects.get(pk=pk)  # our own UPDATE holds the row until this commits
        if isinstance(work, Stage):
            Attempt.objects.create(stage=work, number=work.attempt, worker=worker)
    events.tell(work, "stages")
    claim = Claim(work, work.attempt)
    return None if _was_lost_too_often(claim) else claim


def _was_lost_too_often(claim: Claim) -> bool:
    if claim.work.kills < MAX_LOSSES:
        return False
    reason = (
        f"its worker or its process was lost {claim.work.kills} times, most likely because memory ran out; free some "
        "memory or lower the batch, then retry"
    )
    return fail(claim, code="killed", reason=reason)


def beat(claim: Claim, **facts: float | int | str | None) -> bool:
    """Extend the lease and record live facts; False if the claim is lost or somebody paused or cancelled."""
    return bool(_held(claim).update(lease_until=_lease_end(), **facts))


def finish_stage(claim: Claim, *, folder: str) -> bool:
    """Record a stage's end and its checkpoint; False if the claim was lost."""
    stage = claim.work
    assert isinstance(stage, Stage)
    with transaction.atomic():
        if not _end(claim, Status.SUCCEEDED, step=stage.n_steps):
            return False
        Checkpoint.objects.get_or_create(run=stage.run, stage=stage, at_step=stage.n_steps, defaults={"folder": folder})
        _end_attempt(claim, "succeeded")
    ready.tend(stage.run)
    return True


def finish_scoring(claim: Claim) -> bool:
    """Record that a checkpoint is scored, on an added benchmark too, or topped up; False if the claim was lost."""
    if not _end(claim, Status.SUCCEEDED):
        return False
    _go_on(claim.work)
    return True


def finish_data(claim: Claim, **found: object) -> bool:
    """Record what was found in rows, or in a model; False if the claim was lost."""
    return _end(claim, Status.SUCCEEDED, **found)


def fail(claim: Claim, *, code: str, reason: str) -> bool:
    """Record why work failed, in words for a person; False if the claim was lost."""
    words = reason_in_words(reason, claim.work.run if isinstance(claim.work, RunWork) else None)
    if not _end(claim, Status.FAILED, failure_code=code[:40], failure_reason=words):
        return False
    _end_attempt(claim, "failed", words)
    _go_on(claim.work)
    return True


def release(claim: Claim) -> None:
    """Give work back to the queue: its worker is stopping. A pause or cancel that came first stands."""
    if _held(claim).update(status=Status.QUEUED, queued_at=timezone.now(), **_AT_REST):
        _go_on(claim.work)
    _end_attempt(claim, "stopped")


def restart_or_fail(claim: Claim, *, reason: str) -> None:
    """Queue work again whose process was killed from outside; after MAX_KILLS times, fail it."""
    if claim.work.kills + 1 >= MAX_KILLS:
        fail(
            claim,
            code="killed",
            reason=f"{reason}; that happened {MAX_KILLS} times, most likely because memory ran out",
        )
        return
    if _held(claim).update(status=Status.QUEUED, kills=F("kills") + 1, **_AT_REST):
        _end_attempt(claim, "killed", reason)
        _go_on(claim.work)


def add_base_checkpoint(run: Run, *, folder: str) -> None:
    """Record the base model that the first stage built, so that it is scored like every checkpoint."""
    _add_checkpoint(run.stages.get(position=0), stage=None, at_step=0, defaults={"folder": folder})


def add_mid_stage_checkpoint(stage: Stage, *, at_step: int, folder: str) -> None:
    """Record what a stage kept of its middle, so that it is scored too."""
    _add_checkpoint(stage, stage=stage, at_step=at_step, defaults={"folder": folder, "is_mid_stage": True})


def _add_checkpoint(maker: Stage, *, defaults: dict[str, Any], **identity: Any) -> None:
    """Record a checkpoint of a stage that is still at work."""
    if maker.run.checkpoints.filter(**identity).exists():
        return
    with transaction.atomic():
        now = Stage.objects.select_for_update().get(pk=maker.pk).status  # a pause or cancel waits here, or came before
        status = now if now in (Status.PAUSED, Status.CANCELLED) else Status.QUEUED
        _, is_new = Checkpoint.objects.get_or_create(run=maker.run, **identity, defaults={**defaults, "status": status})
    if is_new:
        ready.tend(maker.run)


def _held(claim: Claim) -> Any:
    kind: Any = type(claim.work)
    return kind.objects.filter(pk=claim.work.pk, attempt=claim.attempt, status=Status.RUNNING)


def _end(claim: Claim, status: Status, **fields: object) -> bool:
    return bool(_held(claim).update(status=status, finished_at=timezone.now(), **_AT_REST, **fields))


def _end_attempt(claim: Claim, ending: str, reason: str = "") -> None:
    if isinstance(claim.work, Stage):
        claim.work.attempts.filter(number=claim.attempt).update(ended_at=timezone.now(), ending=ending, reason=reason)


def _lease_end() -> Any:
    return timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)


# Pause, resume, cancel, retry: what people do -------------------------------------------------------------------


def pause(run: Run) -> None:
    """Hold a run: what runs writes a checkpoint and stops. Raises NotPossibleError if nothing is under way."""
    _move(run, (Status.QUEUED, Status.RUNNING), Status.PAUSED, "pause")


def resume(run: Run) -> None:
    """Let a paused run go on from its last checkpoint."""
    _move(run, (Status.PAUSED,), Status.QUEUED, "resume")


def cancel(run: Run) -> None:
    """End a run for good; checkpoints and scores that exist stay."""
    _move(run, OPEN, Status.CANCELLED, "cancel")


def retry(run: Run) -> None:
    """Queue again what failed or was cancelled; a stage goes on from its last whole checkpoint.

    A checkpoint of a stage's middle that cannot be read is given up: nothing but a point of a curve follows from it.
    """
    run.checkpoints.filter(is_mid_stage=True, status=Status.FAILED, failure_code__in=UNREADABLE).delete()
    _queue_sources(run.stages.all(), run.checkpoints.all())
    _move(run, (Status.FAILED, Status.CANCELLED), Status.QUEUED, "retry")


def retry_stage(stage: Stage) -> None:
    """Queue one failed or cancelled stage again."""
    _queue_sources(Stage.objects.filter(pk=stage.pk))
    asked = Stage.objects.filter(pk=stage.pk, status__in=(Status.FAILED, Status.CANCELLED))
    if not asked.update(**_queued_afresh()):
        now = Stage.objects.get(pk=stage.pk).status
        raise NotPossibleError(f"stage '{stage.name}' is {now}, only a failed or cancelled one can be retried")
    ready.tend(stage.run)


def read_again(work: DataWork) -> None:
    """Queue what failed to be read, compared or looked at; harmless where it is queued already."""
    type(work).objects.filter(pk=work.pk, status=Status.FAILED).update(**_queued_afresh())
    ready.tend_data()


def score_again(checkpoint: Checkpoint) -> None:
    """Queue the scoring of a checkpoint that lacks scores; what its scoring folder holds is not sampled again."""
    if not checkpoint.has_weights:
        raise NotPossibleError(
            f"the results of {checkpoint.run} were published elsewhere; there are no weights to score"
        )
    one = Checkpoint.objects.filter(pk=checkpoint.pk)
    _queue_sources(one)
    if not one.filter(status__in=OVER).update(**_queued_afresh()):
        raise NotPossibleError(
            f"{checkpoint} is {checkpoint.status}, only one whose scoring is over can be scored again"
        )
    ready.tend(checkpoint.run)


def queue_top_up(checkpoint: Checkpoint, benchmark: Benchmark, *, samples: int, by: User) -> TopUp | None:
    """Queue a checkpoint for `samples` answers per problem in all; None where it is queued or at work already.

    To be called in a transaction; of two who ask at once, the second waits for it and gets None.
    """
    asked = {"samples": samples, "asked_by": by}
    row, is_new = TopUp.objects.get_or_create(
        checkpoint=checkpoint, benchmark=benchmark, defaults={"run": checkpoint.run, **asked}
    )
    over = TopUp.objects.filter(pk=row.pk, status__in=OVER)
    _queue_sources(over)
    if not is_new and not over.update(**asked, **_queued_afresh(), step=0, n_steps=0):
        return None
    transaction.on_commit(lambda: ready.tend(checkpoint.run))
    return row


def cancel_top_ups(asked: QuerySet[TopUp]) -> list[TopUp]:
    """End those of these top-ups that are under way; what was sampled stays, and another top-up goes on from there."""
    ending = {"status": Status.CANCELLED, "finished_at": timezone.now(), **_AT_REST}
    ended = [row for row in asked if TopUp.objects.filter(pk=row.pk, status__in=OPEN).update(**ending)]
    for row in ended:
        events.tell(row, "stages")
    return ended


def queue_added_scoring(checkpoint: Checkpoint, benchmark: AddedBenchmark, *, by: User) -> bool:
    """Queue a checkpoint for an added benchmark; False where it is scored on it, queued or at work already.

    To be called in a transaction.
    """
    row, is_new = AddedScoring.objects.get_or_create(
        checkpoint=checkpoint, benchmark=benchmark, defaults={"run": checkpoint.run, "asked_by": by}
    )
    ended = AddedScoring.objects.filter(pk=row.pk, status__in=(Status.FAILED, Status.CANCELLED))
    _queue_sources(ended)
    if not is_new and not ended.update(asked_by=by, **_queued_afresh(), step=0, n_steps=0):
        return False
    transaction.on_commit(lambda: ready.tend(checkpoint.run))
    return True


def _queue_sources(*works: QuerySet[Any]) -> None:
    """Queue again whatever left weights that these could not read: its worker makes anew what is damaged, if anything is."""
    unreadable = {"status": Status.FAILED, "failure_code__in": UNREADABLE}
    affected: list[RunWork] = [work for rows in works for work in rows.filter(**unreadable)]
    starved = [work for work in affected if isinstance(work, Stage)]
    unread = [
        work if isinstance(work, Checkpoint) else work.checkpoint for work in affected if not isinstance(work, Stage)
    ]
    sources = Q(needed_by__stage__in=starved) | Q(checkpoints__in=unread)
    builders = Q(position=0, run__in=[work.run for work in affected])  # the base may be what is damaged
    found = Stage.objects.filter(sources | builders, status=Status.SUCCEEDED).values_list("pk", flat=True)
    Stage.objects.filter(pk__in=set(found), status=Status.SUCCEEDED).update(**_queued_afresh())


def _move(run: Run, sources: tuple[Status, ...], target: Status, action: str) -> None:
    fields = _queued_afresh() if target == Status.QUEUED else {"status": target, **_AT_REST}
    with transaction.atomic():
        changed = run.stages.filter(status__in=sources).update(**fields)
        changed += run.checkpoints.filter(status__in=sources).update(**fields)
    if not changed:
        words = " or ".join(status.label for status in sources)
        raise NotPossibleError(
            f"cannot {action} {run}: nothing of it is {words}; reload the page to see what is possible"
        )
    ready.tend(run)


def _queued_afresh() -> dict[str, Any]:
    """The fields of work that a person queues again: no ending, no kills, no reason."""
    forgotten = {"finished_at": None, "failure_code": "", "failure_reason": "", "kills": 0}
    return {"status": Status.QUEUED, "queued_at": timezone.now(), **_AT_REST, **forgotten}

"""Celery tasks about data sets and models: what they are is found out by processes that are followed as trainers are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from celery import shared_task
from pydantic import BaseModel

from runs import data_sets, leaks, lifecycle, registered_models
from runs.models import DataSet, LeakCheck, RegisteredModel
from workers import launch
from workers.data_dir import DataSummary, LeakReport
from workers.model_dir import ModelFacts
from workers.stage_dir import StageDir, read_document
from workers.tasks import ResultsMissingError, carry_out, worker_name

Asked = TypeVar("Asked", DataSet, LeakCheck, RegisteredModel)
Found = TypeVar("Found", bound=BaseModel)


@shared_task(name="workers.register_data_set")
def register_data_set(data_set_id: int) -> None:
    """Read a data set's rows, if it can be claimed."""

    def results(data_set: DataSet) -> dict[str, Any]:
        summary = _read(data_sets.folder_of(data_set).summary, DataSummary)
        return {"digest": summary.digest, "summary": summary.model_dump(mode="json")}

    _find_out(
        DataSet, data_set_id, lambda it: data_sets.folder_of(it).process, launch.REGISTER,
        write_spec=data_sets.write_source_spec, results=results,
    )  # fmt: skip


@shared_task(name="workers.find_leaks")
def find_leaks(check_id: int) -> None:
    """Compare benchmark items with training prompts, if the check can be claimed."""

    def results(check: LeakCheck) -> dict[str, Any]:
        report = _read(leaks.folder_of(check).path / "report.json", LeakReport)
        return {"report": report.model_dump(mode="json")}

    _find_out(
        LeakCheck, check_id, leaks.folder_of, launch.FIND_LEAKS, write_spec=leaks.write_check_spec, results=results
    )


@shared_task(name="workers.inspect_model")
def inspect_model(model_id: int) -> None:
    """Look at a model, and download it first where it is the hub's, if it can be claimed."""

    def results(model: RegisteredModel) -> dict[str, Any]:
        facts = _read(registered_models.folder_of(model).facts, ModelFacts)
        return {"digest": facts.digest, "found": facts.model_dump(mode="json")}

    _find_out(
        RegisteredModel, model_id, lambda it: registered_models.folder_of(it).process, launch.INSPECT,
        write_spec=registered_models.write_source_spec, results=results,
    )  # fmt: skip


def _find_out(
    kind: type[Asked],
    pk: int,
    folder_of: Callable[[Asked], StageDir],
    module: str,
    *,
    write_spec: Callable[[Asked], None],
    results: Callable[[Asked], dict[str, Any]],
) -> None:
    """Follow the process that finds something out, if it can be claimed, and store what it found."""
    claim = lifecycle.claim_data(kind, pk, worker=worker_name())
    if claim is None:
        return
    work = claim.work
    assert isinstance(work, kind)
    carry_out(
        claim,
        folder_of(work),
        module=module,
        prepare=lambda: write_spec(work),
        look=dict,
        succeed=lambda: _store(claim, results(work)),
    )


def _store(claim: lifecycle.Claim, found: dict[str, Any]) -> None:
    lifecycle.finish_data(claim, **found)


def _read(path: Path, kind: type[Found]) -> Found:
    found = read_document(path, kind)
    if found is None:
        raise ResultsMissingError(f"found no {path.name}, which the process leaves when it is done")
    return found

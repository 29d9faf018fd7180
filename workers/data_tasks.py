"""Celery tasks about data sets and models: what they are is found out by processes that are followed as trainers are."""

from celery import shared_task

from runs import data_sets, leaks, lifecycle, registered_models
from runs.models import DataSet, LeakCheck, RegisteredModel
from workers import launch
from workers.data_dir import DataSummary, LeakReport
from workers.model_dir import ModelFacts
from workers.stage_dir import read_document
from workers.tasks import ResultsMissingError, carry_out, worker_name


@shared_task(name="workers.register_data_set")
def register_data_set(data_set_id: int) -> None:
    """Read a data set's rows, if it can be claimed."""
    claim = lifecycle.claim_data(DataSet, data_set_id, worker=worker_name())
    if claim is None:
        return
    data_set = claim.work
    assert isinstance(data_set, DataSet)
    folder = data_sets.folder_of(data_set)

    def succeed() -> None:
        summary = read_document(folder.summary, DataSummary)
        if summary is None:
            raise ResultsMissingError(f"found no {folder.summary.name}, which the reading of rows leaves")
        lifecycle.finish_data(claim, digest=summary.digest, summary=summary.model_dump(mode="json"))

    carry_out(
        claim,
        folder.process,
        module=launch.REGISTER,
        prepare=lambda: data_sets.write_source_spec(data_set),
        look=dict,
        succeed=succeed,
    )


@shared_task(name="workers.find_leaks")
def find_leaks(check_id: int) -> None:
    """Compare benchmark items with training prompts, if the check can be claimed."""
    claim = lifecycle.claim_data(LeakCheck, check_id, worker=worker_name())
    if claim is None:
        return
    check = claim.work
    assert isinstance(check, LeakCheck)
    folder = leaks.folder_of(check)

    def succeed() -> None:
        report = read_document(folder.path / "report.json", LeakReport)
        if report is None:
            raise ResultsMissingError("found no report.json, which a search for leaks leaves")
        lifecycle.finish_data(claim, report=report.model_dump(mode="json"))

    carry_out(
        claim,
        folder,
        module=launch.FIND_LEAKS,
        prepare=lambda: leaks.write_check_spec(check),
        look=dict,
        succeed=succeed,
    )


@shared_task(name="workers.inspect_model")
def inspect_model(model_id: int) -> None:
    """Look at a model, and download it first where it is the hub's, if it can be claimed."""
    claim = lifecycle.claim_data(RegisteredModel, model_id, worker=worker_name())
    if claim is None:
        return
    model = claim.work
    assert isinstance(model, RegisteredModel)
    folder = registered_models.folder_of(model)

    def succeed() -> None:
        facts = read_document(folder.facts, ModelFacts)
        if facts is None:
            raise ResultsMissingError(f"found no {folder.facts.name}, which looking at a model leaves")
        lifecycle.finish_data(claim, digest=facts.digest, found=facts.model_dump(mode="json"))

    carry_out(
        claim,
        folder.process,
        module=launch.INSPECT,
        prepare=lambda: registered_models.write_source_spec(model),
        look=dict,
        succeed=succeed,
    )

"""Checkpoints that a bad disk damaged: retry makes them anew, and the run goes on with the same weights."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from runs import ingest, lifecycle, ready
from runs.models import Checkpoint, Run, Stage, Status
from tests.web.some_runs import claim
from workers import launch, tasks
from workers.stage_dir import StageDir

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_programs")]


def _stage(run: Run, name: str = "warm") -> Stage:
    return run.stages.get(name=name)


def _folder(run: Run, name: str = "warm") -> StageDir:
    return ingest.stage_folder(_stage(run, name))


def _train(run: Run, name: str = "warm") -> None:
    tasks.train_stage(_stage(run, name).pk)


def _base(run: Run) -> Checkpoint:
    return run.checkpoints.get(stage=None)


def _damage_weights(run: Run, name: str, step: int) -> Path:
    """Flip a byte, as a bad disk does; checkpoints of the real trainer carry their checksums."""
    checkpoint = _folder(run, name).checkpoint(step)
    weights = checkpoint / "model.safetensors"
    sums = {"model.safetensors": hashlib.sha256(weights.read_bytes()).hexdigest()}
    (checkpoint / "checksums.json").write_text(json.dumps(sums))
    weights.write_bytes(b"!" + weights.read_bytes()[1:])
    return weights


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_retry_makes_a_damaged_start_anew_with_the_same_weights(run: Run, damage: str) -> None:
    _train(run)
    before = (_folder(run).checkpoint(6) / "model.safetensors").read_text()
    weights = _damage_weights(run, "warm", 6)
    if damage == "gone":
        shutil.rmtree(weights.parent)
    reason = "checkpoint warm/step_000006 is damaged: model.safetensors is not what was written"
    lifecycle.fail(claim(_stage(run, "if_rl")), code="corrupt_checkpoint", reason=reason)
    lifecycle.retry_stage(_stage(run, "if_rl"))
    assert [stage.name for stage in ready.stages().filter(run=run)] == ["warm"]
    _train(run)
    assert weights.read_text() == before
    _train(run, "if_rl")
    assert _stage(run, "if_rl").status == Status.SUCCEEDED, _stage(run, "if_rl").failure_reason


def test_retry_leaves_a_start_that_is_whole_as_it_is(run: Run, monkeypatch) -> None:
    _train(run)
    written_at = (_folder(run).checkpoint(6) / "model.safetensors").stat().st_mtime_ns
    lifecycle.fail(claim(_stage(run, "if_rl")), code="corrupt_checkpoint", reason="it could not be read just then")
    lifecycle.retry(run)
    monkeypatch.setattr(launch, "TRAIN", "this")  # a trainer that finds its outcome done does nothing more
    _train(run)
    assert _stage(run).status == Status.SUCCEEDED
    assert (_folder(run).checkpoint(6) / "model.safetensors").stat().st_mtime_ns == written_at
    assert [stage.name for stage in ready.stages().filter(run=run)] == ["if_rl"]


def test_retry_of_a_scoring_makes_its_damaged_checkpoint_anew(run: Run) -> None:
    _train(run)
    weights = _damage_weights(run, "warm", 6)
    checkpoint = run.checkpoints.get(stage__name="warm")
    scoring = lifecycle.claim_checkpoint(checkpoint.pk, worker="host:1")
    assert scoring is not None
    lifecycle.fail(scoring, code="corrupt_checkpoint", reason="damaged")
    lifecycle.retry(run)
    assert not ready.checkpoints().filter(pk=checkpoint.pk).exists()  # it waits for its weights
    _train(run)
    assert not weights.read_text().startswith("!")
    tasks.score_checkpoint(checkpoint.pk)
    assert run.checkpoints.get(pk=checkpoint.pk).is_scored


def test_a_damaged_base_is_built_anew_by_the_stage_that_built_it(run: Run) -> None:
    _train(run)
    weights = _damage_weights(run, "warm", 0)
    scoring = lifecycle.claim_checkpoint(_base(run).pk, worker="host:1")
    assert scoring is not None
    lifecycle.fail(scoring, code="corrupt_checkpoint", reason="damaged")
    lifecycle.retry(run)
    _train(run)
    assert weights.read_text() == f"random weights of seed {run.document['seed']}"

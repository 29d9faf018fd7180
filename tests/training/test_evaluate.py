"""Scoring a checkpoint: every benchmark, both splits, each item kept, the same every time."""

from pathlib import Path

import pytest

from workers.spec import BenchmarkSpec, ScoringSpec, TinyModelSpec
from workers.stage_dir import Outcome, ScoreRecord, StageDir, read_document, read_records, write_document
from workers.training.checkpoints import save_checkpoint
from workers.training.domains import DOMAINS
from workers.training.evaluate import score
from workers.training.policy import build_policy
from workers.training.process import carry_out

BENCHMARKS = (
    BenchmarkSpec(domain="preference", n_problems=12, n_validation=8, samples_per_problem=2, max_response_tokens=6),
    BenchmarkSpec(domain="stem", n_problems=10, n_validation=8, temperature=0.0, max_response_tokens=6),
)


class StopAfter:
    def __init__(self, n_asked: int) -> None:
        self.n_left = n_asked

    def is_set(self) -> bool:
        self.n_left -= 1
        return self.n_left < 0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stage") / "checkpoints" / "step_000000"
    save_checkpoint(folder, build_policy(TinyModelSpec(hidden_size=16, layers=1, heads=2, head_size=8, mlp_size=16), 0))
    return folder


def scoring_of(checkpoint: Path, folder: Path) -> StageDir:
    scoring = StageDir(folder)
    write_document(scoring.spec, ScoringSpec(run="r", seed=1, checkpoint_folder=str(checkpoint), benchmarks=BENCHMARKS))
    return scoring


def records(scoring: StageDir) -> list[ScoreRecord]:
    return read_records(scoring.scores, ScoreRecord)[0]


def test_every_benchmark_and_split_is_scored_with_its_items(checkpoint, tmp_path):
    scoring = scoring_of(checkpoint, tmp_path)
    assert carry_out(scoring, StopAfter(100), lambda: score) == Outcome(status="done", step=4)
    found = records(scoring)
    assert [(r.domain, r.split, len(r.items)) for r in found] == [
        ("preference", "validation", 8), ("stem", "validation", 8), ("preference", "test", 12), ("stem", "test", 10),
    ]  # fmt: skip
    record = found[2]
    assert record.mean == pytest.approx(sum(item.value for item in record.items) / 12)
    assert record.version == DOMAINS["preference"].VERSION
    assert record.protocol == {
        "n_problems": 12, "temperature": 1.0, "top_p": 1.0, "max_response_tokens": 6,
    }  # fmt: skip
    assert record.samples == 2
    assert all(len(item.grades) == 2 and item.value == sum(item.grades) / 2 for item in record.items)
    assert record.items[0].n_tokens > 0
    assert {"utility", "reason"} <= record.items[0].parts.keys()
    assert len({item.key for r in found for item in r.items}) == 8 + 12 + 8 + 10  # splits share no problem


def test_scoring_twice_gives_the_same_scores(checkpoint, tmp_path):
    first, second = scoring_of(checkpoint, tmp_path / "1"), scoring_of(checkpoint, tmp_path / "2")
    for scoring in (first, second):
        carry_out(scoring, StopAfter(100), lambda: score)
    assert first.scores.read_bytes() == second.scores.read_bytes()


def test_a_stopped_scoring_goes_on_where_it_was(checkpoint, tmp_path):
    straight, stopped = scoring_of(checkpoint, tmp_path / "1"), scoring_of(checkpoint, tmp_path / "2")
    carry_out(straight, StopAfter(100), lambda: score)
    assert carry_out(stopped, StopAfter(2), lambda: score) == Outcome(status="stopped", step=2)
    with open(stopped.scores, "a") as handle:
        handle.write('{"domain": "st')  # it was killed while it wrote
    assert carry_out(stopped, StopAfter(100), lambda: score).status == "done"
    assert stopped.scores.read_bytes() == straight.scores.read_bytes()


def test_a_checkpoint_that_is_not_there(tmp_path):
    scoring = scoring_of(tmp_path / "nowhere", tmp_path / "scoring")
    outcome = carry_out(scoring, StopAfter(100), lambda: score)
    assert (outcome.status, outcome.code) == ("failed", "bad_spec")
    assert read_document(scoring.outcome, Outcome) == outcome

"""Further answers to a benchmark's problems: others than there are, the same every time, however often it was stopped."""

from pathlib import Path

from tests.training.test_evaluate import BENCHMARKS, StopAfter, checkpoint, records
from workers.answers import with_further_answers
from workers.spec import TopUpSpec
from workers.stage_dir import Outcome, StageDir, write_document
from workers.training.checkpoints import load_checkpoint
from workers.training.evaluate import score_benchmark
from workers.training.process import carry_out
from workers.training.sampling import make_sampler
from workers.training.top_up import ROUND, top_up

__all__ = ["checkpoint"]  # the fixture
PREFERENCE = BENCHMARKS[0]  # 12 problems, 2 answers each


def top_up_of(checkpoint: Path, folder: Path, *, n_answers: int = 2 + 2 * ROUND + 1, version: int = 1) -> StageDir:
    found = StageDir(folder)
    spec = TopUpSpec(
        run="r", seed=1, checkpoint_folder=str(checkpoint), benchmark=PREFERENCE, version=version, n_scored=2, n_answers=n_answers,
    )  # fmt: skip
    write_document(found.spec, spec)
    return found


def test_every_problem_gets_its_further_answers_and_a_stop_changes_none(checkpoint, tmp_path):
    straight, stopped = top_up_of(checkpoint, tmp_path / "1"), top_up_of(checkpoint, tmp_path / "2")
    assert carry_out(straight, StopAfter(100), lambda: top_up) == Outcome(status="done", step=2 * ROUND + 1)
    assert [(r.after, r.samples) for r in records(straight)] == [(2, ROUND), (2 + ROUND, ROUND), (2 + 2 * ROUND, 1)]
    assert carry_out(stopped, StopAfter(1), lambda: top_up).status == "stopped"
    with open(stopped.scores, "a") as handle:
        handle.write('{"domain": "pre')  # it was killed while it wrote
    assert carry_out(stopped, StopAfter(100), lambda: top_up).status == "done"
    assert stopped.scores.read_bytes() == straight.scores.read_bytes()
    policy = load_checkpoint(checkpoint)
    scored = score_benchmark(policy, make_sampler(policy), PREFERENCE, "test", 1)
    joined = with_further_answers(scored, records(straight))
    assert joined.samples == 2 + 2 * ROUND + 1
    assert all(len(item.grades) == joined.samples for item in joined.items)
    responses = [[item.response for item in record.items] for record in (scored, *records(straight))]
    assert len({tuple(answers) for answers in responses}) == len(responses)  # none was sampled twice


def test_what_is_there_already_is_not_sampled_again(checkpoint, tmp_path):
    folder = top_up_of(checkpoint, tmp_path, n_answers=4)
    carry_out(folder, StopAfter(100), lambda: top_up)
    written = folder.scores.read_bytes()
    folder.outcome.unlink()
    assert carry_out(folder, StopAfter(100), lambda: top_up).status == "done"
    assert folder.scores.read_bytes() == written


def test_problems_of_another_version_get_no_answers(checkpoint, tmp_path):
    folder = top_up_of(checkpoint, tmp_path, version=99)
    found = carry_out(folder, StopAfter(100), lambda: top_up)
    assert (found.status, found.code) == ("failed", "other_version")
    assert "expected version 99" in found.reason

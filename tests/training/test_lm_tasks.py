"""Tasks of the lm-evaluation-harness as benchmarks: what is kept is what the harness itself says of the checkpoint."""

import contextlib
import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.training.task_folders import write_tasks
from workers.spec import BenchmarkSpec, ScoringSpec, TaskAccess, TaskBenchmarkSpec, TinyModelSpec
from workers.stage_dir import Outcome, ScoreRecord, StageDir, read_records, write_document
from workers.training.checkpoints import save_checkpoint
from workers.training.evaluate import score
from workers.training.policy import build_policy
from workers.training.process import carry_out

lm_eval = pytest.importorskip("lm_eval", reason="needs requirements-lm-eval.txt")
pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("default"),  # the harness and its libraries warn of what is theirs
]


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


@pytest.fixture
def tasks(tmp_path) -> Path:
    return write_tasks(tmp_path / "tasks")


def scoring_of(checkpoint: Path, tasks: Path, folder: Path, *benchmarks: Any) -> StageDir:
    scoring = StageDir(folder)
    own = {
        asked.domain: str(tasks) for asked in benchmarks if isinstance(asked, TaskBenchmarkSpec) and asked.task_folder
    }
    spec = ScoringSpec(
        run="r", seed=1, checkpoint_folder=str(checkpoint), benchmarks=benchmarks, tasks=TaskAccess(folders=own)
    )
    write_document(scoring.spec, spec)
    return scoring


def scored(scoring: StageDir) -> list[ScoreRecord]:
    return read_records(scoring.scores, ScoreRecord)[0]


def task(name: str, **settings: Any) -> TaskBenchmarkSpec:
    return TaskBenchmarkSpec.model_validate({"task": name, "task_folder": "tasks", **settings})


def says_itself(checkpoint: Path, tasks: Path, name: str, **options: Any) -> Any:
    """Ask the harness in its own way: its own model, from the folder."""
    from lm_eval.tasks import TaskManager

    with contextlib.chdir(tasks):
        return lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": str(checkpoint), "dtype": "float32", "device": "cpu"},
            tasks=[name],
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
            batch_size=4,
            bootstrap_iters=0,
            **options,
        )


@pytest.mark.parametrize(
    ("name", "ours", "options", "metric", "filter_name"),
    [
        ("small_choice", {}, {}, "acc", "none"),
        ("small_choice", {"metric": "acc_norm", "num_fewshot": 1, "batch_size": 3}, {"num_fewshot": 1}, "acc_norm", "none"),
        ("small_choice", {"chat_template": True, "limit": 9}, {"apply_chat_template": True, "limit": 9}, "acc", "none"),
        ("small_generate", {}, {}, "exact_match", "letter"),
        ("small_generate", {"filter": "whole", "max_response_tokens": 3}, {"gen_kwargs": {"max_gen_toks": 3}}, "exact_match", "whole"),
        ("small_likely", {"metric": "acc"}, {}, "acc", "none"),
    ],
)  # fmt: skip
def test_scores_and_items_are_those_of_the_harness(
    checkpoint, tasks, tmp_path, name, ours, options, metric, filter_name
):
    scoring = scoring_of(checkpoint, tasks, tmp_path / "scoring", task(name, **ours))
    assert carry_out(scoring, StopAfter(10_000), lambda: score) == Outcome(status="done", step=2)
    theirs = says_itself(checkpoint, tasks, name, **options)
    record = scored(scoring)[-1]
    assert (record.domain, record.split) == (name, "test")
    assert record.mean == theirs["results"][name][f"{metric},{filter_name}"]
    documents = [sample for sample in theirs["samples"][name] if sample["filter"] == filter_name]
    assert [item.value for item in record.items] == [sample[metric] for sample in documents]
    assert [item.key for item in record.items] == [sample["doc_hash"] for sample in documents]
    assert [item.prompt for item in record.items] == [sample["arguments"][0][0] for sample in documents]
    if name == "small_generate":
        assert [item.response for item in record.items] == [sample["resps"][0][0] for sample in documents]
    assert record.protocol["metric"] == metric
    assert record.protocol["filter"] == filter_name
    assert record.protocol["n_problems"] == len(record.items) == ours.get("limit", len(documents))


def test_some_documents_are_right_and_some_wrong(checkpoint, tasks, tmp_path):
    """Else the agreement above would say little."""
    scoring = scoring_of(checkpoint, tasks, tmp_path / "scoring", task("small_choice"))
    carry_out(scoring, StopAfter(10_000), lambda: score)
    assert {item.value for item in scored(scoring)[-1].items} == {0.0, 1.0}
    chosen = {item.response for item in scored(scoring)[-1].items}
    assert chosen <= {"tea", "cake", "soup and rice"}


def test_the_protocol_says_how_and_changes_with_it(checkpoint, tasks, tmp_path):
    benchmarks = [task("small_choice"), task("small_choice", domain="shots", num_fewshot=2)]
    scoring = scoring_of(checkpoint, tasks, tmp_path / "1", *benchmarks)
    carry_out(scoring, StopAfter(10_000), lambda: score)
    plain, shots = (
        next(r for r in scored(scoring) if r.domain == d and r.split == "test") for d in ("small_choice", "shots")
    )
    assert plain.protocol["harness"] == f"lm-eval {lm_eval.__version__}"
    assert plain.protocol["task_version"] == "2.0"
    assert (plain.protocol["num_fewshot"], shots.protocol["num_fewshot"]) == ("0", "2")
    assert plain.protocol["task_hash"] == shots.protocol["task_hash"]
    (tasks / "choice.yaml").write_text((tasks / "choice.yaml").read_text().replace("{{question}}", "now {{question}}"))
    again = scoring_of(checkpoint, tasks, tmp_path / "2", task("small_choice"))
    carry_out(again, StopAfter(10_000), lambda: score)
    assert scored(again)[-1].protocol["task_hash"] != plain.protocol["task_hash"]


def test_validation_documents_are_asked_where_there_are_some(checkpoint, tasks, tmp_path):
    scoring = scoring_of(checkpoint, tasks, tmp_path / "1", task("small_choice"), task("small_generate"))
    carry_out(scoring, StopAfter(10_000), lambda: score)
    found = scored(scoring)
    assert [(r.domain, r.split) for r in found] == [
        ("small_choice", "validation"), ("small_choice", "test"), ("small_generate", "test"),
    ]  # fmt: skip
    assert not {item.key for item in found[0].items} & {item.key for item in found[1].items}
    first = json.loads((tasks / "choice_validation.jsonl").read_text().splitlines()[0])
    digest = hashlib.sha256(json.dumps(first, indent=2, ensure_ascii=False).encode()).hexdigest()
    assert found[0].items[0].key == digest


def test_a_group_is_the_mean_over_its_documents(checkpoint, tasks, tmp_path):
    scoring = scoring_of(checkpoint, tasks, tmp_path / "1", task("small_group", limit=10))
    assert carry_out(scoring, StopAfter(10_000), lambda: score).status == "done"
    theirs = says_itself(checkpoint, tasks, "small_group", limit=10)
    record = scored(scoring)[-1]
    assert record.mean == pytest.approx(theirs["results"]["small_group"]["acc,none"], abs=1e-12)
    assert len({item.key for item in record.items}) == len(record.items) == 20


def test_a_group_that_weighs_tasks_alike_is_refused(checkpoint, tasks, tmp_path):
    (tasks / "group.yaml").write_text((tasks / "group.yaml").read_text().replace("size: true", "size: false"))
    outcome = carry_out(
        scoring_of(checkpoint, tasks, tmp_path / "1", task("small_group")), StopAfter(9999), lambda: score
    )
    assert (outcome.status, outcome.code) == ("failed", "bad_task")
    assert "whatever their size" in outcome.reason


def test_a_task_that_cannot_be_asked_costs_itself_only(checkpoint, tasks, tmp_path):
    (tasks / "generate_test.jsonl").unlink()
    own = BenchmarkSpec(domain="stem", n_problems=8, n_validation=8, max_response_tokens=4)
    scoring = scoring_of(
        checkpoint, tasks, tmp_path / "1", own, task("small_generate"), task("small_likely", metric="acc")
    )
    outcome = carry_out(scoring, StopAfter(10_000), lambda: score)
    assert (outcome.status, outcome.code) == ("failed", "bad_task")
    assert outcome.reason.startswith("small_generate: the harness cannot ask 'small_generate': ")
    assert [(r.domain, r.split) for r in scored(scoring)] == [
        ("stem", "validation"), ("stem", "test"), ("small_likely", "test"),
    ]  # fmt: skip


def test_a_stop_in_the_middle_of_a_task_is_heard_and_the_rest_is_asked_later(checkpoint, tasks, tmp_path):
    benchmarks = (task("small_generate"), task("small_likely", metric="acc"))
    straight, stopped = (scoring_of(checkpoint, tasks, tmp_path / n, *benchmarks) for n in "12")
    carry_out(straight, StopAfter(10_000), lambda: score)
    assert carry_out(stopped, StopAfter(5), lambda: score).status == "stopped"
    assert len(scored(stopped)) < 2
    assert carry_out(stopped, StopAfter(10_000), lambda: score).status == "done"
    assert stopped.scores.read_bytes() == straight.scores.read_bytes()


def test_a_template_reaches_no_python(checkpoint, tasks, tmp_path):
    text = (tasks / "likely.yaml").read_text().replace("{{question}}", "{{question.__class__.__mro__}}")
    (tasks / "likely.yaml").write_text(text)
    outcome = carry_out(
        scoring_of(checkpoint, tasks, tmp_path / "1", task("small_likely", metric="acc")),
        StopAfter(9999),
        lambda: score,
    )
    assert outcome.code == "bad_task"
    assert "SecurityError" in outcome.reason


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is there")
def test_an_engine_that_is_not_there_costs_its_task_only(checkpoint, tasks, tmp_path):
    asked = [task("small_likely", metric="acc", engine="vllm"), task("small_choice")]
    scoring = scoring_of(checkpoint, tasks, tmp_path / "1", *asked)
    outcome = carry_out(scoring, StopAfter(9999), lambda: score)
    assert (outcome.status, outcome.code) == ("failed", "bad_task")
    assert outcome.reason == (
        "small_likely: found no vLLM on this machine, expected it where engine is 'vllm', by requirements-vllm.txt; "
        "set the task's engine to transformers"
    )
    assert {record.domain for record in scored(scoring)} == {"small_choice"}


def test_a_task_of_the_harness_itself_says_what_it_lacks(checkpoint, tasks, tmp_path):
    asked = TaskBenchmarkSpec.model_validate({"task": "arc_easy"})
    outcome = carry_out(scoring_of(checkpoint, tasks, tmp_path / "1", asked), StopAfter(9999), lambda: score)
    assert outcome.code == "bad_task"
    assert "the harness cannot ask 'arc_easy'" in outcome.reason  # nothing is downloaded

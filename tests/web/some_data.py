"""Data sets for tests: rows that the tiny model's words can say, and recipes that train on them."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from runs import data_sets, lifecycle
from runs.models import DataSet, Project
from workers.data_dir import DataSourceSpec
from workers.training.data_sets.register import register

ROWS: list[dict[str, Any]] = [
    {"prompt": f"say {word}", "answer": word, "verifier": "exact", "response": word}
    for word in (f"{a}{b}" for a in "abcdefghij" for b in "bcdfghkmpr")
]


def lines(rows: list[Any]) -> str:
    """Write rows, given as objects or as the lines themselves."""
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def ask(name: str = "own", source: str = "source", **asked: Any) -> DataSourceSpec:
    return DataSourceSpec(name=name, source=source, **asked)


def register_rows(project: Project, rows: list[Any] = ROWS, **asked: Any) -> DataSet:
    """Upload rows; nobody has read them yet."""
    file = SimpleUploadedFile("rows.jsonl", lines(rows).encode())
    return data_sets.register_upload(project=project, user=project.members.first(), asked=ask(**asked), file=file)


def a_data_set(project: Project, rows: list[Any] = ROWS, **asked: Any) -> DataSet:
    """Upload rows and read them in this process, as a worker does in another."""
    return read_rows(register_rows(project, rows, **asked))


def read_rows(data_set: DataSet) -> DataSet:
    """Read the rows of a registration in this process."""
    claim = lifecycle.claim_data(DataSet, data_set.pk, worker="host:1")
    assert claim is not None
    data_sets.write_source_spec(data_set)
    folder = data_sets.folder_of(data_set)
    register(folder.process, _Never())  # type: ignore[arg-type]
    summary = json.loads(folder.summary.read_text())
    lifecycle.finish_data(claim, digest=summary["digest"], summary=summary)
    data_set.refresh_from_db()
    return data_set


class _Never:
    def is_set(self) -> bool:
        return False


def a_recipe_on(name: str) -> dict[str, Any]:
    """A document that learns a data set's responses, then is rewarded by its grader, and asks it as a benchmark."""
    common = {"domains": {name: 1}, "steps": 3, "learning_rate": 1e-3}
    return {
        "name": "ours",
        "model": {"kind": "tiny", "hidden_size": 32, "layers": 1, "heads": 2, "head_size": 16, "mlp_size": 32},
        "stages": [
            {"kind": "sft", "name": "warm", "batch_size": 8, **common},
            {
                "kind": "grpo",
                "name": "rl",
                "prompts_per_step": 2,
                "rollouts_per_prompt": 2,
                "max_response_tokens": 6,
                "dynamic_filtering": "off",
                **common,
            },
        ],
        "benchmarks": [{"domain": name, "max_response_tokens": 6}],
    }

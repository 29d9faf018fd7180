"""A task of the lm-evaluation-harness as a benchmark of a recipe."""

import re
from typing import Any, Literal

from pydantic import field_validator, model_validator

from workers.document import Slug, Spec, Text, setting


class TaskError(ValueError):
    """A task cannot be asked here; `field` is the setting to change."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


class TaskBenchmarkSpec(Spec):
    """A task or group of the lm-evaluation-harness, asked as its own authors wrote it down."""

    task: Text = setting(about="The task or group, by the harness's name for it.", essential=True, max_length=120)
    domain: Slug = setting(
        "",
        about="What it is called in matrices, gates and addresses; left out, the task's name, as far as it goes.",
        essential=True,
    )
    task_folder: str | None = setting(
        None,
        about="A folder below one of the server's TASKS_DIRS that holds the task's YAML; left out, the tasks that the harness "
        "brings along.",
        essential=True,
        max_length=200,
    )
    metric: Text = setting(
        "", about="Which of the task's metrics is the score; left out, the first of its list.", max_length=80
    )
    filter: Text = setting(
        "", about="Which of the task's filters the answers go through; left out, the first of its list.", max_length=80
    )
    num_fewshot: int | None = setting(
        None, about="Worked examples before each question; left out, as many as the task says.", ge=0, le=64
    )
    limit: int | None = setting(
        None,
        about="Ask only so many of each task's documents, from the first on; left out, all.",
        unit="documents",
        ge=1,
        le=10_000_000,
    )
    chat_template: bool = setting(False, about="Frame what is asked as a chat, by the model's template.")
    max_response_tokens: int | None = setting(
        None,
        about="Longest response of a task that generates; left out, what the task says.",
        unit="tokens",
        ge=1,
        le=1_000_000,
    )
    engine: Literal["transformers", "vllm"] = setting(
        "transformers", about="What the harness runs the checkpoint with; vllm needs it on the worker."
    )
    batch_size: int = setting(8, about="Requests that are run together; no part of the protocol.", ge=1, le=1024)

    @model_validator(mode="before")
    @classmethod
    def _is_called_as_its_task(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("task"), str) and not data.get("domain"):
            return {**data, "domain": name_in_matrices(data["task"])}
        return data

    @field_validator("task")
    @classmethod
    def _is_a_name(cls, task: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][\w.:+-]*", task):
            raise ValueError(
                f"found '{task}', expected the name of a task or group, as arc_easy; write it as the harness does"
            )
        return task

    @field_validator("task_folder")
    @classmethod
    def _leads_nowhere_else(cls, folder: str | None) -> str | None:
        if folder is not None and (not folder.strip("/") or ".." in folder.split("/")):
            raise ValueError(f"found '{folder}', expected a folder below TASKS_DIRS; name it and drop any '..'")
        return folder


class TaskAccess(Spec):
    """What the operator lets tasks do, and where their folders lie."""

    folders: dict[str, str] = {}  # benchmark's domain -> folder, absolute
    code: bool = False  # folders may bring Python code
    downloads: bool = False  # data sets may be fetched


def name_in_matrices(task: str) -> str:
    """Make of a task's name one that columns, addresses and recipes take."""
    plain = re.sub(r"[^a-z0-9_-]+", "_", task.lower()).strip("_")
    return (plain if plain[:1].isalpha() else f"t_{plain}")[:40]

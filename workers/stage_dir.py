"""A stage's folder: every file name in it, how it is written and how it is read.

This folder is the whole contract between the web and the trainer.

    spec.json                     ResolvedStageSpec or ScoringSpec, written by the task
    lock                          held by the one process that may write here
    steps.jsonl                   a StepRecord per step, appended by the trainer
    progress.json                 what the trainer is doing right now
    rollouts/step_000010.jsonl    a sample of that step's groups, for reading
    checkpoints/step_000200/      Hugging Face layout, safetensors; renamed into place when complete
    resume/step_000180/           weights and optimiser state to go on from; only the last is kept
    reward_model/                 the reward model of a stage that learned one
    judged/                       what judges have said already, so that a resumed step asks nothing twice
    scoring/step_000200/          the scoring folder of a checkpoint: spec.json, scores.jsonl, log.txt, outcome.json
    scoring/step_000200/added/arc_easy/   the same files of a benchmark that was added to the run later
    scoring/step_000200/top_up/stem/   the same files of further answers to one benchmark's problems
    log.txt                       what the process printed
    outcome.json                  an Outcome, written last: done, stopped, or why it failed

Files are replaced by renaming, so a reader sees the old or the new one, never half; of a growing file, readers take
whole lines only.
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

logger = logging.getLogger(__name__)
Record = TypeVar("Record", bound=BaseModel)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")  # a metric may be NaN


class StepRecord(_Record):
    """One optimiser update and its metrics; `at` in seconds since the epoch."""

    step: int = Field(ge=0, lt=2**31)
    at: float
    metrics: dict[str, float]


class Progress(_Record):
    """What a process is doing: `substep` is a verb of the loop (sample, grade, credit, update, record) or a preparation."""

    substep: str
    step: int = Field(ge=0, lt=2**31)
    steps: int = Field(ge=0, lt=2**31)
    at: float
    eta_s: float | None = None


class RolloutRecord(_Record):
    """One sampled answer, kept for reading; `group` numbers the prompts of the step."""

    step: int
    group: int
    domain: str
    prompt: str
    response: str
    reward: float
    credit: float
    n_tokens: int
    is_truncated: bool
    parts: dict[str, float | str] = {}


class ItemRecord(_Record):
    """One benchmark problem's result: `value` is the mean grade of its answers, 0 to 1; `response` the first of them, and
    `parts` what its grader said of it.

    `grades` holds each answer's, in the order they were sampled; empty where a record was written before they were kept.
    """

    item: int
    key: str
    prompt: str
    value: FiniteFloat
    grades: list[FiniteFloat] = []
    response: str
    n_tokens: FiniteFloat
    n_truncated: int = Field(0, ge=0, lt=2**31)
    parts: dict[str, float | str] = {}


class ScoreRecord(_Record):
    """One benchmark on one checkpoint; `protocol` says how, so that scores of different protocols are never mixed.

    How many answers each problem got is no part of it: more of them measure the same, only more precisely.
    """

    domain: str
    split: Literal["validation", "test"]
    version: int
    protocol: dict[str, float | int | str]
    samples: int = Field(1, ge=1)  # answers per problem
    after: int = Field(0, ge=0)  # answers per problem that came before these: 0, or those that a top-up found
    mean: FiniteFloat
    items: list[ItemRecord]
    judge: dict[str, int] = {}  # what was asked of judges for it: requests and tokens

    @model_validator(mode="before")
    @classmethod
    def _read_older_ones(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Records used to name the answers per problem in their protocol."""
        protocol = dict(data.get("protocol", {}))
        if "samples_per_problem" not in protocol:
            return data
        return {**data, "samples": protocol.pop("samples_per_problem"), "protocol": protocol}


class Outcome(_Record):
    """How a process ended. `code` is a stable word for `failed`: out_of_memory, too_large, not_finite, disk_full,
    corrupt_checkpoint, bad_spec, bad_task, other_version, judge_away, error.
    """

    status: Literal["done", "stopped", "failed"]
    code: str = ""
    reason: str = ""
    step: int = 0


class FolderBusyError(RuntimeError):
    """Another process is writing in this folder."""


@dataclass(frozen=True)
class StageDir:
    """The paths of one stage's folder, or of one checkpoint's scoring folder."""

    path: Path

    @property
    def spec(self) -> Path:
        return self.path / "spec.json"

    @property
    def steps(self) -> Path:
        return self.path / "steps.jsonl"

    @property
    def progress(self) -> Path:
        return self.path / "progress.json"

    @property
    def rollouts(self) -> Path:
        return self.path / "rollouts"

    @property
    def judged(self) -> Path:
        return self.path / "judged"

    @property
    def scores(self) -> Path:
        return self.path / "scores.jsonl"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def outcome(self) -> Path:
        return self.path / "outcome.json"

    def checkpoint(self, step: int) -> Path:
        return self.path / "checkpoints" / step_name(step)

    @property
    def resume(self) -> Path:
        return self.path / "resume"

    def scoring(self, step: int) -> "StageDir":
        return StageDir(self.path / "scoring" / step_name(step))

    def top_up(self, domain: str) -> "StageDir":
        """Where a scoring folder keeps further answers to a domain's test problems."""
        return StageDir(self.path / "top_up" / domain)

    def added(self, domain: str) -> "StageDir":
        """Where a scoring folder keeps the scores of a benchmark that was added to its run."""
        return StageDir(self.path / "added" / domain)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one process that writes here; raises FolderBusyError if another is. The kernel frees it on any death."""
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / "lock", "w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderBusyError(f"another process is writing in {self.path}; stop it first") from None
            yield


CHECKSUMS = "checksums.json"  # in a checkpoint: the SHA-256 of every other file but its card, by its path
MODEL_CARD = "README.md"  # in a checkpoint; rewritten when the checkpoint is scored


def is_whole(checkpoint: Path, *, meanwhile: Callable[[], object]) -> bool:
    """Compare a checkpoint with its checksums; one without any is somebody else's and taken as it is.

    meanwhile: called before each file, of which the largest take some seconds.
    """
    try:
        checksums = load_json(checkpoint / CHECKSUMS)
        for name, expected in checksums.items():
            meanwhile()
            with open(checkpoint / name, "rb") as handle:
                if hashlib.file_digest(handle, "sha256").hexdigest() != expected:
                    return False
    except (FileNotFoundError, ValueError, AssertionError):
        return not (checkpoint / CHECKSUMS).exists()
    return True


def step_name(step: int) -> str:
    """Name a step's file or folder: step_000200."""
    return f"step_{step:06d}"


def step_of(path: Path) -> int:
    """Read the step out of a name that `step_name` made."""
    return int(path.stem.removeprefix("step_"))


def write_document(path: Path, document: BaseModel) -> None:
    """Replace a JSON document in one rename."""
    write_text(path, document.model_dump_json(indent=1))


def read_document(path: Path, kind: type[Record]) -> Record | None:
    """Read a JSON document; None where there is none. Raises ValueError for a file that is no such document."""
    try:
        return kind.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None


def write_text(path: Path, text: str) -> None:
    """Replace a file in one rename, durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".tmp")
    with open(beside, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    beside.replace(path)


def append_record(path: Path, record: BaseModel) -> None:
    """Append one line; a reader that comes in the middle sees no newline yet and waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as handle:
        handle.write(record.model_dump_json() + "\n")


def read_records(path: Path, kind: type[Record], *, offset: int = 0) -> tuple[list[Record], int]:
    """Read whole lines from a byte offset on; returns them and the offset to go on from.

    A line that is no such record (a crash in mid-write, a bad disk) is passed over and logged, so that it costs itself only.
    """
    try:
        with open(path, "rb") as handle:
            handle.seek(offset)
            data = handle.read()
    except FileNotFoundError:
        return [], offset
    whole = data[: data.rfind(b"\n") + 1]
    records = [record for line in whole.split(b"\n") if line.strip() and (record := _record(line, kind, path))]
    return records, offset + len(whole)


def _record(line: bytes, kind: type[Record], path: Path) -> Record | None:
    try:
        return kind.model_validate_json(line)
    except ValueError as error:
        logger.warning("%s: passed over a line that is no %s: %s", path, kind.__name__, str(error)[:300])
        return None


def keep_whole_records(path: Path, kind: type[Record]) -> list[Record]:
    """Cut a half-written last line before more are appended; returns the records that stay."""
    records, _ = read_records(path, kind)
    if path.exists():
        write_text(path, "".join(record.model_dump_json() + "\n" for record in records))
    return records


def drop_records_after(path: Path, step: int) -> None:
    """Cut steps that a resumed trainer is about to do again, and a half-written last line."""
    records, _ = read_records(path, StepRecord)
    kept = [record.model_dump_json() for record in records if record.step <= step]
    if path.exists():
        write_text(path, "".join(line + "\n" for line in kept))


def tail(path: Path, *, max_bytes: int = 16_384) -> str:
    """Read the end of a text file, from a line's start; empty where there is none."""
    try:
        with open(path, "rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - max_bytes))
            text = handle.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return text if size <= max_bytes else text[text.find("\n") + 1 :]


def load_json(path: Path) -> dict[str, object]:
    """Read a JSON object as it is, for showing."""
    loaded = json.loads(path.read_text())
    assert isinstance(loaded, dict)
    return loaded

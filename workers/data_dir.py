"""A data set's folder: every file name in it, how it is written and how it is read.

spec.json          DataSourceSpec: where the rows come from, and what they are for; written by the task
source/            what was uploaded, as it was
rows.jsonl         a RowRecord for each row that can be graded, in the order of the source
bad_rows.jsonl     a BadRowRecord for each that cannot
summary.json       a DataSummary, written when both are complete
log.txt, outcome.json, lock, progress.json    as in a stage's folder (stage_dir.py)
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from workers.catalogue import JUDGED, PREFERENCE
from workers.document import Slug, Spec, setting
from workers.stage_dir import StageDir

Use = Literal["split", "train", "benchmark"]


class DataSourceSpec(Spec):
    """Rows to be read: `spec.json` in a data set's folder."""

    name: Slug
    source: str  # a file or folder, relative to the data set's folder or absolute
    form: Literal["auto", "plain", "nemo_gym"] = setting("auto", about="How a row is written; auto tells by each row.")
    grader: str = setting(
        "", about="The grader of rows that name none; docs/graders.md lists them.", max_length=40, essential=True
    )
    use: Use = setting(
        "split",
        about="What the rows are for: split (60 % train, 20 % validation, 20 % test), train alone, or benchmark "
        "(20 % validation, 80 % test).",
        essential=True,
    )


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Record):
    """One turn of the conversation that an answer is sampled to."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str


class RowRecord(_Record):
    """One row that can be graded. `key` is a hash of what is asked, so that equal questions are one problem."""

    key: str
    line: int = Field(ge=1)
    split: Literal["train", "validation", "test"]
    messages: list[Message] = Field(min_length=1)
    tools: list[dict[str, JsonValue]] = []
    grader: str
    reference: dict[str, JsonValue]
    response: str = ""  # a right answer to learn from, where the row has one

    @property
    def asked(self) -> str:
        """The conversation as one text, its only question without a role."""
        if len(self.messages) == 1 and self.messages[0].role == "user":
            return self.messages[0].content
        return "\n".join(f"{message.role}: {message.content}" for message in self.messages)

    @property
    def reference_text(self) -> str:
        """What the grader judges by, for reading."""
        return json.dumps(self.reference, ensure_ascii=False)


def is_upgradable(row: RowRecord) -> bool:
    """Tell whether a judge can grade a row better than its own grader does: it says what is asked, apart from its prompt."""
    return row.grader == "contains" and "question" in row.reference


class BadRowRecord(_Record):
    """One row that cannot be used, and why."""

    line: int = Field(ge=1)
    reason: str
    text: str  # its beginning


class DataSummary(_Record):
    """What a data set holds; `digest` is the SHA-256 of rows.jsonl. Lengths are of prompts, in characters."""

    digest: str
    n_rows: int
    n_bad: int
    n_repeated: int  # rows whose question an earlier row asks already; they are left out
    splits: dict[str, int]
    graders: dict[str, int]
    n_responses: int  # rows with a right answer to learn from
    n_pairs: int = 0  # rows of the grader preference with a better and a worse answer
    n_baselines: int = 0  # of them, rows with an answer to compare others with
    n_questions: int = 0  # rows that a judge grades instead, where a recipe names one
    lengths: dict[str, int]  # shortest, median, longest
    histogram: list[tuple[int, int]] = []  # a power of two, and how many rows are no longer than it but than half of it
    bad_reasons: dict[str, int]  # the commonest first, numbers in them left out

    def pin(self) -> dict[str, Any]:
        """What a recipe says of these rows: a DataSetSpec."""
        return {
            "digest": self.digest,
            "splits": self.splits,
            "n_judged": self.graders.get(JUDGED, 0),
            "n_preferences": self.graders.get(PREFERENCE, 0),
            **{name: getattr(self, name) for name in ("n_responses", "n_pairs", "n_baselines", "n_questions")},
        }


class LeakSpec(Spec):
    """Data sets to be compared: `spec.json` in a check's folder. Folders are relative to it, by the data set's name."""

    trained: dict[str, str]
    benchmarks: dict[str, str]


class LeakRecord(_Record):
    """A benchmark's item and the training row that gives it away, both by their line in the source."""

    benchmark: str
    split: str
    line: int
    text: str
    trained: str
    trained_line: int
    trained_text: str
    kind: Literal["exact", "normalised", "overlap"]
    share: float  # of the item's runs of words; 1 where both are equal


class LeakReport(_Record):
    """What a check found, with examples, the worst first: `report.json` in its folder."""

    n_items: int
    n_prompts: int
    kinds: dict[str, int]  # items by the strongest sign
    benchmarks: dict[str, int]  # items by data set
    examples: list[LeakRecord]

    @property
    def n_leaks(self) -> int:
        return sum(self.kinds.values())


@dataclass(frozen=True)
class DataDir:
    """The paths of a data set's folder."""

    path: Path

    @property
    def process(self) -> StageDir:
        """The same folder, as the process that fills it sees it."""
        return StageDir(self.path)

    @property
    def source(self) -> Path:
        return self.path / "source"

    @property
    def rows(self) -> Path:
        return self.path / "rows.jsonl"

    @property
    def bad_rows(self) -> Path:
        return self.path / "bad_rows.jsonl"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"

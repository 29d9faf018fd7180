"""Turn a source of rows into a data set's folder: python -m workers.training.data_sets.register FOLDER.

Each row is read by its form, handed to its grader for a check, given a key (a hash of what is asked) and a split. A row
that cannot be used is kept with the reason, never dropped in silence; of rows that ask the same, the first is kept.
Memory holds one row at a time, besides their keys and lengths.
"""

import hashlib
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from workers.catalogue import PREFERENCE
from workers.data_dir import BadRowRecord, DataDir, DataSourceSpec, DataSummary, RowRecord, Use, is_upgradable
from workers.stage_dir import Outcome, Progress, StageDir, read_document, write_document
from workers.training.bad_spec import BadSpecError
from workers.training.data_sets import nemo_gym, plain
from workers.training.data_sets.row import BadRowError, Row
from workers.training.data_sets.sources import read_rows
from workers.training.domains import split_of as share_out
from workers.training.graders import GRADERS
from workers.training.process import StopRequest, Work, run_in_folder

LOOK_EVERY = 1000  # rows between two looks at the request to stop
REASONS_SHOWN = 20
SPLITS = ("train", "validation", "test")


@dataclass
class _Count:
    """What is known of the rows so far."""

    keys: set[str] = field(default_factory=set)
    splits: Counter[str] = field(default_factory=Counter)
    graders: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    first_reason: str = ""  # of a row that cannot be used
    n_repeated: int = 0
    n_responses: int = 0
    n_pairs: int = 0
    n_baselines: int = 0
    n_questions: int = 0


def register(folder: StageDir, stop: StopRequest) -> Outcome:
    """Read every row of the source; raises BadSpecError where there is none that can be used."""
    data, spec = DataDir(folder.path), read_document(folder.spec, DataSourceSpec)
    assert spec is not None
    count, digest, line = _Count(), hashlib.sha256(), 0
    beside = data.rows.with_name(data.rows.name + ".tmp")
    with open(beside, "wb") as rows, open(data.bad_rows, "w") as bad_rows:
        for line, found, text in read_rows(data.path / spec.source):
            if line % LOOK_EVERY == 0:
                if stop.is_set():
                    return Outcome(status="stopped", step=line)
                write_document(folder.progress, Progress(substep="read rows", step=line, steps=0, at=time.time()))
            try:
                record, kept = _kept(found, line, spec)
            except BadRowError as error:
                count.bad[_kind(str(error))] += 1
                count.first_reason = count.first_reason or str(error)
                bad_rows.write(BadRowRecord(line=line, reason=str(error), text=text).model_dump_json() + "\n")
                continue
            if _is_new(record, count):
                digest.update(kept)
                rows.write(kept)
    beside.replace(data.rows)
    write_document(data.summary, _summary(count, digest.hexdigest()))
    return Outcome(status="done", step=line)


def _kept(found: dict[str, Any] | BadRowError, line: int, spec: DataSourceSpec) -> tuple[RowRecord, bytes]:
    """Make the record of a row, and its line; raises BadRowError, also for what no line of JSON can hold."""
    if isinstance(found, BadRowError):
        raise found
    try:
        record = _record(_read(found, spec), line, spec.use)
        return record, record.model_dump_json().encode() + b"\n"
    except ValidationError as error:  # a saved data set holds more than JSON does: dates, bytes, pictures
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:2])
        raise BadRowError(f"found {place} that JSON cannot hold ({first['msg']})") from None
    except (PydanticSerializationError, RecursionError) as error:
        raise BadRowError(f"found values that JSON cannot hold ({error})") from None


def _read(raw: dict[str, Any], spec: DataSourceSpec) -> Row:
    """Read a row by its form and have its grader look at it; raises BadRowError."""
    is_gym = nemo_gym.is_gym_row(raw) if spec.form == "auto" else spec.form == "nemo_gym"
    row = nemo_gym.convert(raw) if is_gym else plain.convert(raw)
    row = row if row.grader else replace(row, grader=spec.grader)
    if not row.grader:
        if row.response:  # a demonstration is right by definition
            return replace(row, grader="exact", reference=row.reference or {"answer": row.response})
        raise BadRowError("found no verifier, expected the row or the data set to name one")
    if row.grader not in GRADERS:
        raise BadRowError(f"found verifier '{row.grader}', expected one of: {', '.join(GRADERS)}")
    try:
        GRADERS[row.grader].check(row.reference)
    except ValueError as error:
        raise BadRowError(f"{row.grader} cannot grade it: {error}") from None
    return row


def _record(row: Row, line: int, use: Use) -> RowRecord:
    asked = "\n".join(f"{message.role}: {message.content}" for message in row.messages)
    key = hashlib.sha256(asked.encode(errors="replace")).hexdigest()[:16]
    return RowRecord(
        key=key,
        line=line,
        split=split_of(key, use),
        messages=row.messages,
        tools=row.tools,
        grader=row.grader,
        reference=row.reference,
        response=row.response,
    )


def split_of(key: str, use: Use) -> Literal["train", "validation", "test"]:
    """Tell a row's split from its key alone, so that another version of the data set puts it where it was."""
    if use == "train":
        return "train"
    share = share_out(key)
    return share if use == "split" or share == "validation" else "test"


def _is_new(record: RowRecord, count: _Count) -> bool:
    """Count a row, unless an earlier one asks the same."""
    if record.key in count.keys:
        count.n_repeated += 1
        return False
    count.keys.add(record.key)
    count.splits[record.split] += 1
    count.graders[record.grader] += 1
    count.lengths.append(sum(len(message.content) for message in record.messages))
    count.n_responses += bool(record.response)
    if record.grader == PREFERENCE:
        count.n_pairs += "rejected" in record.reference
        count.n_baselines += not record.reference.keys().isdisjoint(("baseline", "chosen"))
    count.n_questions += is_upgradable(record)
    return True


def _summary(count: _Count, digest: str) -> DataSummary:
    n_bad = sum(count.bad.values())
    if not count.keys:
        words = f"; the first reason: {count.first_reason}" if n_bad else ""
        raise BadSpecError(f"found no row that can be used among {n_bad:,}{words}")
    lengths = sorted(count.lengths)
    return DataSummary(
        digest=digest,
        n_rows=len(count.keys),
        n_bad=n_bad,
        n_repeated=count.n_repeated,
        splits={split: count.splits[split] for split in SPLITS if count.splits[split]},
        graders=dict(count.graders.most_common()),
        n_responses=count.n_responses,
        n_pairs=count.n_pairs,
        n_baselines=count.n_baselines,
        n_questions=count.n_questions,
        lengths={"shortest": lengths[0], "median": lengths[len(lengths) // 2], "longest": lengths[-1]},
        histogram=_histogram(lengths),
        bad_reasons=dict(count.bad.most_common(REASONS_SHOWN)),
    )


def _histogram(lengths: list[int]) -> list[tuple[int, int]]:
    """Count lengths in bins that double: a few long rows leave the others their room."""
    bins = Counter(max(length - 1, 0).bit_length() for length in lengths)
    return [(2**exponent, bins[exponent]) for exponent in range(min(bins), max(bins) + 1)]


def _kind(reason: str) -> str:
    """Leave out what differs from row to row, so that like reasons count as one."""
    return re.sub(r"\d+", "#", re.sub(r"'[^']*'|\"[^\"]*\"|\{.*?\}|\[.*?\]", "…", reason))[:200].replace(
        "\0", "\N{SYMBOL FOR NULL}"
    )


def _import_work() -> Work:
    return register


if __name__ == "__main__":
    sys.exit(run_in_folder(sys.argv, _import_work))

"""Where rows come from: JSONL files, or a folder that Hugging Face's `datasets` saved. Nothing is fetched."""

import gzip
import json
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from workers.training.bad_spec import BadSpecError
from workers.training.data_sets.row import BadRowError

MAX_LINE_BYTES = 16 * 1024 * 1024  # a row with the files of a repository is long; one longer than this is no row
SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz")

# A row's number, from 1; what it holds, or why it holds nothing; its beginning, for showing.
Found = tuple[int, dict[str, Any] | BadRowError, str]


def read_rows(source: Path) -> Iterator[Found]:
    """Read every row of a file or a folder, one after the other; raises BadSpecError where there is nothing to read."""
    if source.is_dir() and _is_saved_data_set(source):
        yield from _saved_rows(source)
        return
    number = 0
    for path in _files(source):
        for line in _lines(path):
            number += 1
            if not line.strip():
                continue
            yield number, _parse(line), line[:200].decode(errors="replace")


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found = sorted(path for path in source.rglob("*") if path.is_file() and path.name.endswith(SUFFIXES))
    if not found:
        raise BadSpecError(
            f"found no {', '.join(SUFFIXES)} file and no saved data set in {source.name}; point at a file of rows, one JSON "
            "object a line, or at a folder that datasets.save_to_disk wrote"
        )
    return found


def _lines(path: Path) -> Iterator[bytes]:
    """Give whole lines; of one that is too long, its beginning, which then is no JSON."""
    with gzip.open(path) if path.name.endswith(".gz") else open(path, "rb") as handle:
        while line := _line(handle, path):
            beginning = line
            while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                line = _line(handle, path)
            yield beginning


def _line(handle: BufferedIOBase, path: Path) -> bytes:
    """Read a line, or as much of it as may be; raises BadSpecError where the file is no gzip, or not all of one."""
    try:
        return handle.readline(MAX_LINE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadSpecError(
            f"found {path.name} that gzip cannot read ({error}), expected a whole gzipped file; pack it again, or send it as it "
            "is under a name without .gz"
        ) from None


def _parse(line: bytes) -> dict[str, Any] | BadRowError:
    if len(line) > MAX_LINE_BYTES:
        return BadRowError(f"found a line of more than {MAX_LINE_BYTES:,} bytes, expected one row a line")
    try:
        row = json.loads(line)
        if b"\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return BadRowError("found half a character (a lone surrogate), expected whole ones")
    except (ValueError, RecursionError) as error:
        return BadRowError(f"found no JSON ({error}), expected one object a line")
    return row if isinstance(row, dict) else BadRowError(f"found a JSON {type(row).__name__}, expected an object")


def _is_saved_data_set(folder: Path) -> bool:
    return (folder / "dataset_info.json").exists() or (folder / "dataset_dict.json").exists()


def _saved_rows(folder: Path) -> Iterator[Found]:
    from datasets import Dataset, DatasetDict, load_from_disk

    loaded = load_from_disk(str(folder))
    parts: list[Dataset] = list(loaded.values()) if isinstance(loaded, DatasetDict) else [loaded]
    number = 0
    for part in parts:
        for row in part:
            number += 1
            yield number, dict(row), str(row)[:200]

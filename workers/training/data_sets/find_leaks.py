"""Search the training rows of some data sets for items of others: python -m workers.training.data_sets.find_leaks FOLDER.

The folder is as a data set's: spec.json a LeakSpec, report.json a LeakReport when all is compared. Memory holds the items
and their runs of words; training rows go by one at a time.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from workers.data_dir import DataDir, LeakRecord, LeakReport, LeakSpec, RowRecord
from workers.stage_dir import Outcome, Progress, StageDir, read_document, write_document
from workers.training.data_sets.leaks import Leak, LeakIndex, stronger
from workers.training.data_sets.register import LOOK_EVERY
from workers.training.process import StopRequest, Work, run_in_folder

EXAMPLES = 20
TEXT_SHOWN = 400  # characters of an item and of a prompt


def compare(folder: StageDir, stop: StopRequest) -> Outcome:
    """Compare every training row with every item."""
    spec = read_document(folder.spec, LeakSpec)
    assert spec is not None
    index, items = LeakIndex(), _items(folder.path, spec)
    for number, (_, row) in enumerate(items):
        index.add(number, row.asked)
    best: dict[int, tuple[Leak, str, RowRecord]] = {}
    n_prompts = 0
    for name, row in _rows(folder.path, spec.trained):
        if row.split != "train":
            continue
        n_prompts += 1
        if n_prompts % LOOK_EVERY == 0:
            if stop.is_set():
                return Outcome(status="stopped", step=n_prompts)
            write_document(folder.progress, Progress(substep="compare", step=n_prompts, steps=0, at=time.time()))
        for leak in index.leaks_of(n_prompts, row.asked):
            known = best.get(leak.item)
            if known is None or stronger(known[0], leak) is leak:
                best[leak.item] = (leak, name, row)
    write_document(folder.path / "report.json", _report(items, best, n_prompts))
    return Outcome(status="done", step=n_prompts)


def _items(here: Path, spec: LeakSpec) -> list[tuple[str, RowRecord]]:
    return [(name, row) for name, row in _rows(here, spec.benchmarks) if row.split != "train"]


def _rows(here: Path, folders: dict[str, str]) -> Iterator[tuple[str, RowRecord]]:
    for name, folder in folders.items():
        with open(DataDir(here / folder).rows, "rb") as handle:
            yield from ((name, RowRecord.model_validate_json(line)) for line in handle)


def _report(
    items: list[tuple[str, RowRecord]], best: dict[int, tuple[Leak, str, RowRecord]], n_prompts: int
) -> LeakReport:
    found = sorted(best.values(), key=lambda entry: (-entry[0].share, entry[0].item))
    records = [
        LeakRecord(
            benchmark=items[leak.item][0],
            split=items[leak.item][1].split,
            line=items[leak.item][1].line,
            text=items[leak.item][1].asked[:TEXT_SHOWN],
            trained=name,
            trained_line=row.line,
            trained_text=row.asked[:TEXT_SHOWN],
            kind=leak.kind,
            share=leak.share,
        )
        for leak, name, row in found[:EXAMPLES]
    ]
    return LeakReport(
        n_items=len(items),
        n_prompts=n_prompts,
        kinds=dict(Counter(leak.kind for leak, _, _ in found)),
        benchmarks=dict(Counter(items[leak.item][0] for leak, _, _ in found)),
        examples=records,
    )


def _import_work() -> Work:
    return compare


if __name__ == "__main__":
    sys.exit(run_in_folder(sys.argv, _import_work))

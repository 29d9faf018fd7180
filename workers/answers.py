"""Join further answers to a benchmark's problems with those that its score rests on.

A mean over more answers to the same problems measures the same quantity, only more precisely, so a score is joined with
its top-ups whenever it is read. Records say how many answers came before theirs: each is taken once and in its turn.
"""

from collections.abc import Iterable, Mapping
from statistics import fmean

from workers.metrics import value_of
from workers.stage_dir import ItemRecord, ScoreRecord


def with_further_answers(score: ScoreRecord, further: Iterable[ScoreRecord]) -> ScoreRecord:
    """Join a score with the records that follow it without a gap; what is of other problems is left out."""
    for record in sorted(further, key=lambda record: record.after):
        if record.after == score.samples and _identity(record) == _identity(score):
            score = _joined(score, record)
    return score


def _identity(record: ScoreRecord) -> tuple[object, ...]:
    """Name what two records must have in common for their answers to be of one kind."""
    return record.domain, record.split, record.version, record.protocol, [item.key for item in record.items]


def _joined(first: ScoreRecord, more: ScoreRecord) -> ScoreRecord:
    k = (first.samples, more.samples)
    items = [_joined_item(a, b, k, first.protocol) for a, b in zip(first.items, more.items, strict=True)]
    mean = fmean(item.value for item in items)
    return first.model_copy(update={"samples": sum(k), "mean": mean, "items": items})


def _joined_item(first: ItemRecord, more: ItemRecord, k: tuple[int, int], protocol: Mapping[str, object]) -> ItemRecord:
    grades = [*_grades(first, k[0]), *_grades(more, k[1])]
    value = value_of(grades, protocol) if len(grades) == sum(k) else fmean((first.value, more.value), weights=k)
    joined = {
        "value": value,
        "grades": grades,
        "n_tokens": fmean((first.n_tokens, more.n_tokens), weights=k),
        "n_truncated": first.n_truncated + more.n_truncated,
    }
    return first.model_copy(update=joined)


def _grades(item: ItemRecord, k: int) -> list[float]:
    """A record from before grades were kept still tells that of a single answer."""
    return item.grades or ([item.value] if k == 1 else [])

"""The problems that a pair of checkpoints answers differently: a page of them, with both answers and their history."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models.functions import Left, Length

from runs.drift.answers import Graded, Piece, fault_in_words, mark_differences, name_fault
from runs.drift.flips import Flip, Flips, find_flips, rank_flips
from runs.drift.matrix import RowInfo, ScoreCell, ScoreMatrix
from runs.models import ItemResult, Score

FLIPS_PER_PAGE = 10
MAX_SHOWN = 2000  # characters of a prompt or an answer; the API has the whole of it
_GRADED = ("value", "n_tokens", "n_truncated", "parts")  # what a fault is told by, beside the answer's length
ONLY = {"": "Lost and gained", "lost": "Lost", "gained": "Gained"}


@dataclass(frozen=True)
class Square:
    """One checkpoint in an item's ribbon; `level` is full, part, none or missing."""

    level: str
    about: str
    is_compared: bool


@dataclass(frozen=True)
class Answer:
    """What a checkpoint answered (its first sample), cut into what the other answer has too and what it has not."""

    row: RowInfo
    kind: str
    why: str
    n_tokens: float
    pieces: list[Piece]
    n_hidden: int  # characters that are not shown


@dataclass(frozen=True)
class FlipView:
    """One problem that flipped, as the page shows it."""

    flip: Flip
    stable: str
    prompt: str
    answers: list[Answer]
    ribbon: list[Square]
    history: str


@dataclass(frozen=True)
class _Stored:
    """An item's row; texts are cut to what is shown."""

    prompt: str
    response: str
    n_characters: int
    graded: Graded


def flips_view(
    matrix: ScoreMatrix, scores: dict[str, Score], *, before: ScoreCell, after: ScoreCell, only: str, page: str
) -> dict[str, Any]:
    """Lay out a page of the flips between two scored checkpoints, in two queries however many items there are."""
    flips, ranked = find_flips(before, after), rank_flips(matrix, after.column, before.row, after.row)
    shown = [flip for flip in ranked if only not in ("lost", "gained") or flip.is_lost == (only == "lost")]
    paged = Paginator(shown, FLIPS_PER_PAGE).get_page(page)
    counts = {"": len(ranked), "lost": len(flips.lost), "gained": len(flips.gained)}
    return {
        "counts": flips,
        "tested": _tested(flips),
        "only": only if only in ONLY else "",
        "filters": [(key, title, counts[key]) for key, title in ONLY.items()],
        "page": paged,
        "items": _views(matrix, scores, before, after, paged),
        "kinds": _kinds(scores[after.row], flips.lost),
    }


def _views(
    matrix: ScoreMatrix, scores: dict[str, Score], before: ScoreCell, after: ScoreCell, page: Page[Flip]
) -> list[FlipView]:
    flips = list(page.object_list)
    stored = _stored({scores[row].pk: row for row in (before.row, after.row)}, [flip.item for flip in flips])
    return [
        FlipView(
            flip=flip,
            stable=_stable(flip),
            prompt=stored[after.row, flip.item].prompt,
            answers=_answers(matrix, scores, stored, (before.row, after.row), flip.item),
            ribbon=(ribbon := _ribbon(matrix, after.column, flip.item, compared=(before.row, after.row))),
            history="; ".join(square.about for square in ribbon),
        )
        for flip in flips
        if (after.row, flip.item) in stored and (before.row, flip.item) in stored
    ]


def _stored(rows: dict[int, str], items: list[int]) -> dict[tuple[str, int], _Stored]:
    """Read the answers to these items in one query; rows: the scores' keys and their rows.

    The database cuts what is too long to show.
    """
    found = (
        ItemResult.objects.filter(score__in=rows, item__in=items)
        .annotate(shown_prompt=Left("prompt", MAX_SHOWN), shown=Left("response", MAX_SHOWN), length=Length("response"))
        .values_list("score", "item", "shown_prompt", "shown", "length", *_GRADED)
    )
    return {
        (rows[score], item): _Stored(prompt, response, length, _graded(length, *graded))
        for score, item, prompt, response, length, *graded in found
    }


def _answers(
    matrix: ScoreMatrix,
    scores: dict[str, Score],
    stored: dict[tuple[str, int], _Stored],
    rows: tuple[str, str],
    item: int,
) -> list[Answer]:
    found = [stored[row, item] for row in rows]
    marked = mark_differences(*(answer.response for answer in found))
    return [
        Answer(
            row=matrix.row(row),
            kind=name_fault(answer.graded, scores[row].benchmark.protocol),
            why=fault_in_words(answer.graded),
            n_tokens=answer.graded.n_tokens,
            pieces=pieces,
            n_hidden=answer.n_characters - len(answer.response),
        )
        for row, answer, pieces in zip(rows, found, marked, strict=True)
    ]


def _kinds(score: Score, lost: Sequence[int]) -> list[tuple[str, int]]:
    """Count what became of the lost items, the most frequent kind first."""
    found = (
        ItemResult.objects.filter(score=score, item__in=lost)
        .annotate(length=Length("response"))
        .values_list("length", *_GRADED)
    )
    return Counter(name_fault(_graded(*item), score.benchmark.protocol) for item in found).most_common()


def _graded(n_characters: int, value: float, n_tokens: float, n_truncated: int | None, parts: dict[str, Any]) -> Graded:
    return Graded(value, n_tokens, n_characters == 0, n_truncated, parts)


def _stable(flip: Flip) -> str:
    """Say for how long the item had been as it was before it flipped."""
    return "after 1 checkpoint" if flip.streak == 1 else f"after {flip.streak} checkpoints in a row"


def _ribbon(matrix: ScoreMatrix, domain: str, item: int, *, compared: tuple[str, str]) -> list[Square]:
    """How one item fared at every checkpoint: whether it was lost after being stable, or comes and goes."""
    squares = []
    for row in matrix.rows:
        cell = matrix.cell(row.key, domain)
        if cell is None or cell.values is None or item >= len(cell.values):
            squares.append(Square("missing", f"{row.title}: not scored", row.key in compared))
            continue
        value = float(cell.values[item])
        level, word = ("full", "right") if value >= 1 else ("part", f"{value:g}") if value > 0 else ("none", "wrong")
        squares.append(Square(level, f"{row.title}: {word}", row.key in compared))
    return squares


def _tested(flips: Flips) -> str:
    if flips.p_value is None:
        return ""
    return f"{flips.test} p {f'= {flips.p_value:.2g}' if flips.p_value >= 0.001 else '< 0.001'}"

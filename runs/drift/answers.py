"""Two answers side by side: which pieces of them differ, and what is wrong with each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

SHORT = 200  # characters of both answers, up to which single characters are compared; beyond, words
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


# What the sandbox says of a program that was read and then failed: an exception's name, or why it has no result.
_WHEN_RUN = re.compile(
    r"(?!Syntax|Indentation|Tab)\w+(Error|Exit|Interrupt|Iteration)$|ran longer|ended without|took the"
)


@dataclass(frozen=True)
class Piece:
    """A stretch of an answer that the other answer has too, or has not."""

    text: str
    is_changed: bool


def mark_differences(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Cut two answers into pieces that both have and pieces that only one has; joined, the pieces are the answer."""
    cut = list if len(before) + len(after) <= SHORT else _WORDS.findall
    old, new = cut(before), cut(after)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for side, text in ((left, "".join(old[i:j])), (right, "".join(new[k:m]))):
            if text:
                side.append(Piece(text, tag != "equal"))
    return left, right


@dataclass(frozen=True)
class Graded:
    """What is kept of a problem's result; `parts` is what the grader said of the first sample.

    n_truncated: of its k samples; None where that was not kept, and then only the mean length tells.
    """

    value: float  # mean over the samples, 0 to 1
    n_tokens: float  # mean over the samples
    is_empty: bool
    n_truncated: int | None = None
    parts: Mapping[str, float | str] = field(default_factory=dict)


def name_fault(graded: Graded, protocol: Mapping[str, float | int | str]) -> str:
    """Name what is wrong with an answer: empty, cut off, malformed, failed when run, partly right, wrong; else right.

    Malformed is what the grader could not read: it gives a reason and no part of the grade (or says that it was not parsed).
    """
    if graded.value >= 1:
        return "right"
    if graded.is_empty:
        return "empty"
    if _is_cut_off(graded, protocol):
        return "cut off"
    if graded.value > 0:
        return "partly right"
    reason = graded.parts.get("reason")
    numbers = [value for value in graded.parts.values() if not isinstance(value, str)]
    if reason is None or (numbers and graded.parts.get("parsed") != 0):
        return "wrong"
    return "failed when run" if _WHEN_RUN.match(str(reason)) else "malformed"


def fault_in_words(graded: Graded) -> str:
    """Say what the grader said of the first sample of a problem that is not right: its reason, and the parts of its grade."""
    if graded.value >= 1:
        return ""
    reason = graded.parts.get("reason")
    parts = [f"{name} {value:g}" for name, value in graded.parts.items() if not isinstance(value, str)]
    return " · ".join([*([str(reason)] if reason is not None else []), *parts])


def _is_cut_off(graded: Graded, protocol: Mapping[str, float | int | str]) -> bool:
    """Whether every sample was; where that was not kept, whether all are as long as allowed, as their mean tells."""
    if graded.n_truncated is not None:
        return graded.n_truncated >= float(protocol.get("samples_per_problem", 1))
    return graded.n_tokens >= float(protocol.get("max_response_tokens", "inf"))

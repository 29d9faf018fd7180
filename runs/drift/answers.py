"""Two answers side by side: which pieces of them differ."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

SHORT = 200  # characters of both answers, up to which single characters are compared; beyond, words
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


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

"""How texts are compared that say the same in other letters: case, articles, punctuation, spaces.

After SQuAD's evaluation (Rajpurkar et al., arXiv 1606.05250, evaluate-v1.1.py), with two differences that would otherwise
make unequal things equal: a number keeps its sign and its point (3.5 is not 35, -5 is not 5), and # % and mathematical
and currency signs stay (C++ is not C). Look-alike letters of other scripts stay different; accents and their composed
forms are one, and what cannot be seen is dropped.
"""

import re
import unicodedata

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MINUS = str.maketrans({"−": "-", "–": "-", "‐": "-", "‑": "-", "’": "'", "‘": "'"})
_KEPT_SIGNS = "#%"


def normalise(text: str) -> str:
    """Lower the case, drop articles and punctuation, make every run of space one blank."""
    plain = unicodedata.normalize("NFC", text).casefold().translate(_MINUS)
    plain = _THOUSANDS.sub("", plain)
    plain = "".join(mark for at, mark in enumerate(plain) if not _is_dropped(plain, at))
    return " ".join(_ARTICLES.sub(" ", plain).split())


def _is_dropped(text: str, at: int) -> bool:
    mark = text[at]
    if not unicodedata.category(mark).startswith(("P", "Cf")) or mark in _KEPT_SIGNS:
        return False
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if mark == "-":
        return not (after.isdigit() and not before.isalnum())
    return not (mark in ".:/" and before.isdigit() and after.isdigit())

"""How a text is split: words, tokens, sentences, paragraphs. Every rule reads the text once.

Words are runs of letters and digits (`\\w+`), which is how IFEval counts them. Tokens keep a word's inner apostrophes,
hyphens and points together ("don't", "well-known", "U.S"). Bare words are what stands between spaces, less all ASCII
punctuation, as IFBench takes them.

A sentence ends at . ! ? or an ellipsis, with the quotes or brackets that close after it, where a space follows; or at a
Chinese or Japanese full stop. It does not end after a title or Latin abbreviation (Mr. e.g.), an initial (J. Smith), the
number of a list's item, nor where a small letter follows. A line break alone ends none. IFEval asks NLTK's punkt, a
trained model that has to be downloaded; the two differ in rare abbreviations.
"""

import re
import string

PUNCTUATION = string.punctuation
EDGES = PUNCTUATION + " "

_WORD = re.compile(r"\w+")
_TOKEN = re.compile(r"\w+(?:['’.-]\w+)*")
_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s|$)|[。！？]+[」』”]*")
_LAST_WORD = re.compile(r"[^\s(\[\"'“]*$")
_NO_END = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "rev",
        "hon",
        "st",
        "sr",
        "jr",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "cf",
        "al",
        "fig",
        "no",
        "nos",
        "vol",
        "pp",
        "ph.d",
        "inc",
        "ltd",
        "co",
        "corp",
        "u.s",
        "u.k",
        "a.m",
        "p.m",
    ]
)
_SENTENCE_MAY_FOLLOW = frozenset(
    ["etc", "al", "inc", "ltd", "co", "corp", "u.s", "u.k", "a.m", "p.m", "ph.d", "jr", "sr"]
)
_DROP_PUNCTUATION = str.maketrans("", "", PUNCTUATION)


def words(text: str) -> list[str]:
    return _WORD.findall(text)


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def bare_words(text: str) -> list[str]:
    return text.translate(_DROP_PUNCTUATION).split()


def sentences(text: str) -> list[str]:
    found, start = [], 0
    for end in _END.finditer(text):
        if _ends(text, end.start(), end.end()):
            found.append(text[start : end.end()].strip())
            start = end.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def paragraphs(text: str, divider: str) -> list[str]:
    """Split at a divider, less an empty part at the start or at the end."""
    parts = [part.strip() for part in text.split(divider)]
    if parts and not parts[0]:
        parts = parts[1:]
    if parts and not parts[-1]:
        parts = parts[:-1]
    return parts


def _ends(text: str, start: int, end: int) -> bool:
    """Tell whether the marks from start to end close a sentence."""
    following = text[end : end + 20].lstrip()
    if text[start] != "." or text[start:end].startswith(".."):
        return not following[:1].islower()
    before = _LAST_WORD.search(text[max(start - 20, 0) : start])
    word = before[0] if before else ""
    line = text[text.rfind("\n", 0, start) + 1 : start].strip()
    if not following:
        return True
    if word.lower() in _NO_END:
        return word.lower() in _SENTENCE_MAY_FOLLOW and following[:1].isupper()
    is_initial = len(word) == 1 and word.isalpha() and word.isupper() and word != "I"
    return not (following[:1].islower() or is_initial or line.lstrip("(").isdigit())

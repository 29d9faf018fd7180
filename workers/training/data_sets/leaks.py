"""Leaks: benchmark items that also stand in training prompts. Pure: texts in, findings out.

A text is compared as its words: lower case, letters and digits of any script, punctuation dropped but for signs of arithmetic. An item leaks where a
training prompt has the same text, the same words, or at least BOUND of the item's runs of 13 words (the length that GPT-3's
authors used, arXiv 2005.14165, appendix C). Of an item shorter than 13 words only equality counts: short runs are common speech.
What is said in other words, or in another language, is not found.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

N = 13  # words
BOUND = 0.5  # of an item's runs

_WORD = re.compile(r"[^\W_]+|[+=<>^]|[*/%-](?=\s?\d)|(?<=\d)[*/%-]|(?<=\d\s)[*/%-]")
_SIGNS = str.maketrans("\N{MINUS SIGN}\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}", "-*/")

Kind = Literal["exact", "normalised", "overlap"]


@dataclass(frozen=True)
class Leak:
    """A benchmark item and the training prompt that gives it away; `share` is of the item's runs of words, 1 where equal."""

    item: int
    prompt: int
    kind: Kind
    share: float


@dataclass
class LeakIndex:
    """The items of a benchmark, by what training prompts are looked up with. Prompts go by one at a time, and none is kept."""

    texts: dict[str, list[int]] = field(default_factory=dict)
    words: dict[str, list[int]] = field(default_factory=dict)
    runs: dict[int, list[int]] = field(default_factory=dict)  # hash of 13 words -> items
    n_runs: dict[int, int] = field(default_factory=dict)  # of an item

    def add(self, item: int, text: str) -> None:
        """Note an item under a number of its own."""
        words = words_of(text)
        self.texts.setdefault(text, []).append(item)
        self.words.setdefault(" ".join(words), []).append(item)
        found = set(runs_of(words))
        self.n_runs[item] = len(found)
        for run in found:
            self.runs.setdefault(run, []).append(item)

    def leaks_of(self, prompt: int, text: str) -> list[Leak]:
        """Find the items that a training prompt gives away, each by the strongest of the three signs."""
        words = words_of(text)
        found: dict[int, Leak] = {}
        for item, share in self._overlaps(words):
            if share >= BOUND:
                found[item] = Leak(item, prompt, "overlap", share)
        if words:
            found |= {item: Leak(item, prompt, "normalised", 1.0) for item in self.words.get(" ".join(words), [])}
        found |= {item: Leak(item, prompt, "exact", 1.0) for item in self.texts.get(text, [])}
        return list(found.values())

    def _overlaps(self, words: list[str]) -> Iterator[tuple[int, float]]:
        shared: dict[int, int] = {}
        for run in set(runs_of(words)):
            for item in self.runs.get(run, []):
                shared[item] = shared.get(item, 0) + 1
        yield from ((item, n / self.n_runs[item]) for item, n in shared.items())


def find_leaks(items: Iterable[tuple[int, str]], prompts: Iterable[tuple[int, str]]) -> list[Leak]:
    """Compare items with training prompts, both numbered; one leak an item, its strongest and then its first."""
    index = LeakIndex()
    for number, text in items:
        index.add(number, text)
    best: dict[int, Leak] = {}
    for number, text in prompts:
        for leak in index.leaks_of(number, text):
            best[leak.item] = stronger(best.get(leak.item), leak)
    return [best[item] for item in sorted(best)]


def stronger(one: Leak | None, other: Leak) -> Leak:
    """Keep the stronger sign, the first of equal ones."""
    return other if one is None or _rank(other) > _rank(one) else one


def words_of(text: str) -> list[str]:
    """The words of a text, so that case, spaces, punctuation and the spelling of one character make no difference.

    A sign of arithmetic is a word where it is one: 2 + 3 and 2 - 3 are two questions, well-known and well known the same.
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).translate(_SIGNS).casefold())


def runs_of(words: list[str]) -> Iterator[int]:
    """Hash every run of N words."""
    return (hash(tuple(words[start : start + N])) for start in range(len(words) - N + 1))


def _rank(leak: Leak) -> tuple[int, float]:
    return ("overlap", "normalised", "exact").index(leak.kind), leak.share

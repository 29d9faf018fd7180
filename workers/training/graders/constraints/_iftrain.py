"""The 29 training constraints published with IFBench (Pyatkin et al., arXiv 2507.02833; open-instruct IFEvalG), our own code.

nvidia/Nemotron-Cascade-2-RL-data names them in its IF-RL rows. Where the words of an instruction and the published
checker disagree, the words count: a span "between and including" two indices has both its ends.
"""

import re
from itertools import pairwise

from workers.training.graders.constraints._constraint import (
    Constraint,
    compare,
    count,
    letter,
    position,
    relation,
    text,
)
from workers.training.graders.constraints._ifeval import has_frequency, has_letters, has_paragraphs
from workers.training.graders.constraints._text import PUNCTUATION, paragraphs, sentences, tokens

_SMALL_WORD = re.compile(r"\b[a-z]+\b")
_LETTER = re.compile(r"[a-zA-Z]")


def repeats_phrase(answer: str, phrase: str, small_n: int) -> bool:
    """Look for the phrase's first to its last word, so many times, each with one other word inside and none more."""
    expected, found = phrase.split(), answer.split()
    at = [i for i in range(len(found) - len(expected) + 1) if _is_framed(found[i : i + len(expected)], expected)]
    changes = [_differences(found[i : i + len(expected)], expected) for i in at]
    return len(expected) > 2 and changes == [1] * small_n


def is_copy(answer: str, prompt_to_repeat: str) -> bool:
    return answer.strip().lower() == prompt_to_repeat.lower()


def is_copied(answer: str, prompt_to_repeat: str, N: int) -> bool:
    parts = answer.split("******")
    return len(parts) == N and all(is_copy(part, prompt_to_repeat) for part in parts)


def is_span(answer: str, prompt_to_repeat: str, n_start: int, n_end: int) -> bool:
    return answer.strip().lower() == prompt_to_repeat[n_start : n_end + 1].strip().lower()


def has_hyphens_between_sentences(answer: str) -> bool:
    """Ask for one hyphen and no space between each sentence and the next."""
    parts = sentences(answer.replace("-", " "))
    return "-".join(parts) == answer.strip()


def has_no_following_letters(answer: str) -> bool:
    firsts = [word[0].lower()[0] for word in answer.split()]
    return all(ord(second) - ord(first) != 1 for first, second in pairwise(firsts))


def is_in_brackets(answer: str) -> bool:
    return all(word.startswith("[") and word.endswith("]") for word in answer.split())


def has_once(answer: str, keyword: str) -> bool:
    return answer.lower().count(keyword.lower()) == 1


def has_not(answer: str, keyword: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(keyword)}(?!\w)", answer, re.IGNORECASE) is None


def is_two_parts(answer: str) -> bool:
    return has_paragraphs(answer, 2)


def is_two_paragraphs(answer: str) -> bool:
    parts = paragraphs(answer, "\n\n")
    return len(parts) == 2 and all(parts)


def starts_each_sentence(answer: str, first_word: str) -> bool:
    return all(_bare(sentence.split()[0]) == first_word.lower() for sentence in sentences(answer))


def starts_answer(answer: str, first_word: str) -> bool:
    return _bare(answer.split()[0]) == first_word.lower()


def ends_each_sentence(answer: str, last_word: str) -> bool:
    return all(_bare(sentence.split()[-1]) == last_word.lower() for sentence in sentences(answer))


def ends_answer(answer: str, last_word: str) -> bool:
    return _bare(answer.split()[-1]) == last_word.lower()


def has_pairs_in_brackets(answer: str) -> bool:
    """Ask for <<each two>> <<words like>> this; a last word without another may stand alone."""
    found = answer.split()
    pairs = zip(found[::2], found[1::2], strict=False)
    return all(first.startswith("<<") and second.endswith(">>") for first, second in pairs)


def has_no_dot(answer: str) -> bool:
    return "." not in answer


def has_no_exclamation(answer: str) -> bool:
    return "!" not in answer


def has_few_small_words(answer: str, N: int) -> bool:
    return len(_SMALL_WORD.findall(answer)) <= N


def has_letter_count(answer: str, N: int, relation: str) -> bool:
    return compare(len(_LETTER.findall(answer)), relation, N)


def is_composed(answer: str, n_sent: int, n_words: int) -> bool:
    """Ask for three paragraphs between *** or * * *, each of so many sentences of so many words."""
    parts = paragraphs(answer.replace("* * *", "***"), "***")
    counts = [[len(tokens(sentence)) for sentence in sentences(part)] for part in parts]
    return counts == [[n_words] * n_sent] * 3


def has_no_word_twice(answer: str) -> bool:
    found = [token.lower() for token in tokens(answer)]
    return len(found) == len(set(found))


def has_once_and_twice(answer: str, keyword1: str, keyword2: str) -> bool:
    return answer.lower().count(keyword1.lower()) == 1 and answer.lower().count(keyword2.lower()) == 2


def has_palindrome(answer: str) -> bool:
    """Look for a word of two letters or more: "a" reads both ways, but is not what was asked for."""
    return any(len(word) > 1 and word == word[::-1] for word in (token.lower() for token in tokens(answer)))


def has_word_at(answer: str, keyword: str, n: int, m: int) -> bool:
    """Ask for the keyword as the m-th word of the n-th sentence."""
    parts = sentences(answer)
    found = tokens(parts[n - 1]) if len(parts) >= n else []
    return len(found) >= m and found[m - 1].lower() == keyword.lower()


def starts_as_it_ends(answer: str) -> bool:
    """Ask for the same first and last word, and nothing after it."""
    found = tokens(answer)
    return len(found) > 1 and found[0].lower() == found[-1].lower() and answer.strip().endswith(found[-1])


def _is_framed(found: list[str], expected: list[str]) -> bool:
    return found[0].strip(PUNCTUATION) == expected[0] and found[-1].strip(PUNCTUATION) == expected[-1]


def _differences(found: list[str], expected: list[str]) -> int:
    pairs = zip(found, expected, strict=True)
    return sum(first.strip(PUNCTUATION) != second.strip(PUNCTUATION) for first, second in pairs)


def _bare(word: str) -> str:
    return word.strip(PUNCTUATION + "“”‘’…").lower()


IFTRAIN: dict[str, Constraint] = {
    "copy:repeat_phrase": Constraint(repeats_phrase, {"phrase": text, "small_n": position}),
    "copy:copy": Constraint(is_copy, {"prompt_to_repeat": text}),
    "copy:copying_simple": Constraint(is_copy, {"prompt_to_repeat": text}),
    "copy:copying_multiple": Constraint(is_copied, {"prompt_to_repeat": text, "N": position}),
    "new:copy_span_idx": Constraint(is_span, {"prompt_to_repeat": text, "n_start": count, "n_end": count}),
    "detectable_format:sentence_hyphens": Constraint(has_hyphens_between_sentences),
    "detectable_format:square_brackets": Constraint(is_in_brackets),
    "detectable_format:bigram_wrapping": Constraint(has_pairs_in_brackets),
    "keywords:no_adjacent_consecutive": Constraint(has_no_following_letters),
    "keywords:word_once": Constraint(has_once, {"keyword": text}),
    "keywords:word_count_different_numbers": Constraint(
        has_frequency, {"keyword": text, "frequency": count, "relation": relation}
    ),
    "keywords:exclude_word_harder": Constraint(has_not, {"keyword": text}),
    "keywords:palindrome": Constraint(has_palindrome),
    "keywords:keyword_specific_position": Constraint(has_word_at, {"keyword": text, "n": position, "m": position}),
    "keywords:start_end": Constraint(starts_as_it_ends),
    "paragraphs:paragraphs": Constraint(is_two_parts),
    "paragraphs:paragraphs2": Constraint(is_two_paragraphs),
    "first_word:first_word_sent": Constraint(starts_each_sentence, {"first_word": text}),
    "first_word:first_word_answer": Constraint(starts_answer, {"first_word": text}),
    "last_word:last_word_sent": Constraint(ends_each_sentence, {"last_word": text}),
    "last_word:last_word_answer": Constraint(ends_answer, {"last_word": text}),
    "punctuation:punctuation_dot": Constraint(has_no_dot),
    "punctuation:punctuation_exclamation": Constraint(has_no_exclamation),
    "count:lowercase_counting": Constraint(has_few_small_words, {"N": count}),
    "letters:letter_counting": Constraint(has_letter_count, {"N": count, "relation": relation}),
    "letters:letter_counting2": Constraint(
        has_letters, {"letter": letter, "let_frequency": count, "let_relation": relation}
    ),
    "count:counting_composition": Constraint(is_composed, {"n_sent": position, "n_words": position}),
    "count:count_unique": Constraint(has_no_word_twice),
    "count:count_increment_word": Constraint(has_once_and_twice, {"keyword1": text, "keyword2": text}),
}

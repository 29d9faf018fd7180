"""The 25 constraints of IFEval (Zhou et al., arXiv 2311.07911; google-research instruction_following_eval), our own code.

Keywords are looked for as they are written, in any case and also inside words, as IFEval does, but never as patterns.
"""

import json
import re
from collections.abc import Iterator

from workers.training.graders.constraints._constraint import (
    Constraint,
    compare,
    count,
    letter,
    position,
    relation,
    text,
    texts,
)
from workers.training.graders.constraints._language import language, language_of
from workers.training.graders.constraints._text import paragraphs, sentences, tokens, words

_ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_BULLET = re.compile(r"^[^\S\n]*(?:\*(?!\*).|-).*$", re.MULTILINE)
_HIGHLIGHT = re.compile(r"\*[^\n*]*\*")
_DOUBLE_HIGHLIGHT = re.compile(r"\*\*[^\n*]*\*\*")
_FENCE = re.compile(r"^```(?:json)?|```$", re.IGNORECASE)


def has_all(answer: str, keywords: list[str]) -> bool:
    return all(keyword.lower() in answer.lower() for keyword in keywords)


def has_frequency(answer: str, keyword: str, frequency: int, relation: str) -> bool:
    return compare(answer.lower().count(keyword.lower()), relation, frequency)


def has_none(answer: str, forbidden_words: list[str]) -> bool:
    """Look for whole words: "cat" is not in "concatenate"."""
    return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", answer, re.IGNORECASE) for word in forbidden_words)


def has_letters(answer: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    return compare(answer.lower().count(letter), let_relation, let_frequency)


def is_in_language(answer: str, language: str) -> bool:
    return language_of(answer).split("-")[0] == language or language_of(answer) == language


def has_sentences(answer: str, num_sentences: int, relation: str) -> bool:
    return compare(len(sentences(answer)), relation, num_sentences)


def has_paragraphs(answer: str, num_paragraphs: int) -> bool:
    parts = paragraphs(answer, "***")
    return all(parts) and len(parts) == num_paragraphs


def has_words(answer: str, num_words: int, relation: str) -> bool:
    return compare(len(words(answer)), relation, num_words)


def has_first_word(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    parts = [part.strip() for part in answer.split("\n\n")]
    if sum(map(bool, parts)) != num_paragraphs or nth_paragraph > num_paragraphs or not parts[nth_paragraph - 1]:
        return False
    word = parts[nth_paragraph - 1].split()[0].lstrip("'").lstrip('"').lower()
    return re.split(r"[.,?!'\"]", word, maxsplit=1)[0] == first_word.lower()


def has_placeholders(answer: str, num_placeholders: int) -> bool:
    return sum(1 for _ in _placeholders(answer)) >= num_placeholders


def has_postscript(answer: str, postscript_marker: str) -> bool:
    """Look for the marker anywhere; after the points of P.S. and P.P.S a blank may stand."""
    pattern = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}.get(postscript_marker)
    return re.search(pattern or re.escape(postscript_marker.lower()), answer.lower()) is not None


def has_bullets(answer: str, num_bullets: int) -> bool:
    return len(_BULLET.findall(answer)) == num_bullets


def is_an_option(answer: str) -> bool:
    return any(option in answer for option in _ANSWERS)


def has_highlights(answer: str, num_highlights: int) -> bool:
    """Count *text* and **text**."""
    single = sum(bool(mark.strip("*").strip()) for mark in _HIGHLIGHT.findall(answer))
    double = sum(bool(mark.strip("*").strip()) for mark in _DOUBLE_HIGHLIGHT.findall(answer))
    return single + double >= num_highlights


def has_sections(answer: str, section_spliter: str, num_sections: int) -> bool:
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", answer)) >= num_sections


def is_json(answer: str) -> bool:
    try:
        json.loads(_FENCE.sub("", answer.strip()).strip())
    except (ValueError, RecursionError):
        return False
    return True


def has_title(answer: str) -> bool:
    """Look for <<a title>> on one line, and not an empty one."""
    for line in answer.splitlines():
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end and line[start:end].lstrip("<").rstrip(">").strip():
            return True
    return False


def is_two_responses(answer: str) -> bool:
    parts = paragraphs(answer, "******")
    return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def repeats_the_prompt(answer: str, prompt_to_repeat: str) -> bool:
    return answer.strip().lower().startswith(prompt_to_repeat.lower())


def ends_with(answer: str, end_phrase: str) -> bool:
    return answer.strip().strip('"').lower().endswith(end_phrase.lower())


def is_quoted(answer: str) -> bool:
    bare = answer.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def has_capital_words(answer: str, capital_frequency: int, capital_relation: str) -> bool:
    """Count I and A, too, as IFEval does."""
    return compare(sum(token.isupper() for token in tokens(answer)), capital_relation, capital_frequency)


def is_english_in_capitals(answer: str) -> bool:
    """Ask for the language in small letters: langdetect knows few words in capitals."""
    return answer.isupper() and language_of(answer.lower()) == "en"


def is_english_in_small_letters(answer: str) -> bool:
    return answer.islower() and language_of(answer) == "en"


def has_no_comma(answer: str) -> bool:
    return "," not in answer


def _placeholders(answer: str) -> Iterator[str]:
    """Go through [each] of a line, by searching onwards: a pattern would start anew at each of many open brackets."""
    for line in answer.splitlines():
        start = line.find("[")
        while start >= 0 and (end := line.find("]", start)) >= 0:
            yield line[start : end + 1]
            start = line.find("[", end)


IFEVAL: dict[str, Constraint] = {
    "keywords:existence": Constraint(has_all, {"keywords": texts}),
    "keywords:frequency": Constraint(has_frequency, {"keyword": text, "frequency": count, "relation": relation}),
    "keywords:forbidden_words": Constraint(has_none, {"forbidden_words": texts}),
    "keywords:letter_frequency": Constraint(
        has_letters, {"letter": letter, "let_frequency": count, "let_relation": relation}
    ),
    "language:response_language": Constraint(is_in_language, {"language": language}),
    "length_constraints:number_sentences": Constraint(has_sentences, {"num_sentences": count, "relation": relation}),
    "length_constraints:number_paragraphs": Constraint(has_paragraphs, {"num_paragraphs": position}),
    "length_constraints:number_words": Constraint(has_words, {"num_words": count, "relation": relation}),
    "length_constraints:nth_paragraph_first_word": Constraint(
        has_first_word, {"num_paragraphs": position, "nth_paragraph": position, "first_word": text}
    ),
    "detectable_content:number_placeholders": Constraint(has_placeholders, {"num_placeholders": count}),
    "detectable_content:postscript": Constraint(has_postscript, {"postscript_marker": text}),
    "detectable_format:number_bullet_lists": Constraint(has_bullets, {"num_bullets": count}),
    "detectable_format:constrained_response": Constraint(is_an_option),
    "detectable_format:number_highlighted_sections": Constraint(has_highlights, {"num_highlights": count}),
    "detectable_format:multiple_sections": Constraint(has_sections, {"section_spliter": text, "num_sections": count}),
    "detectable_format:json_format": Constraint(is_json),
    "detectable_format:title": Constraint(has_title),
    "combination:two_responses": Constraint(is_two_responses),
    "combination:repeat_prompt": Constraint(repeats_the_prompt, {"prompt_to_repeat": text}),
    "startend:end_checker": Constraint(ends_with, {"end_phrase": text}),
    "startend:quotation": Constraint(is_quoted),
    "change_case:capital_word_frequency": Constraint(
        has_capital_words, {"capital_frequency": count, "capital_relation": relation}
    ),
    "change_case:english_capital": Constraint(is_english_in_capitals),
    "change_case:english_lowercase": Constraint(is_english_in_small_letters),
    "punctuation:no_comma": Constraint(has_no_comma),
}

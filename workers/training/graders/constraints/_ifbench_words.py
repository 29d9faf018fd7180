"""Constraints of IFBench (Pyatkin et al., arXiv 2507.02833; allenai/IFBench) on words and sentences, our own code."""

import re
from collections import Counter
from itertools import pairwise

from workers.training.graders.constraints._constraint import Constraint, count, percentage, position, text
from workers.training.graders.constraints._iftrain import has_word_at
from workers.training.graders.constraints._text import EDGES, bare_words, sentences, tokens, words

_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_CONJUNCTIONS = frozenset(("and", "but", "for", "nor", "or", "so", "yet"))
_PRIMES = frozenset(n for n in range(2, 100) if all(n % d for d in range(2, n)))
_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")
_PEOPLE = frozenset(  # the instruction names them
    [
        "Emma",
        "Liam",
        "Sophia",
        "Jackson",
        "Olivia",
        "Noah",
        "Ava",
        "Lucas",
        "Isabella",
        "Mason",
        "Mia",
        "Ethan",
        "Charlotte",
        "Alexander",
        "Amelia",
        "Benjamin",
        "Harper",
        "Leo",
        "Zoe",
        "Daniel",
        "Chloe",
        "Samuel",
        "Lily",
        "Matthew",
        "Grace",
        "Owen",
        "Abigail",
        "Gabriel",
        "Ella",
        "Jacob",
        "Scarlett",
        "Nathan",
        "Victoria",
        "Elijah",
        "Layla",
        "Nicholas",
        "Audrey",
        "David",
        "Hannah",
        "Christopher",
        "Penelope",
        "Thomas",
        "Nora",
        "Andrew",
        "Aria",
        "Joseph",
        "Claire",
        "Ryan",
        "Stella",
        "Jonathan",
    ]
)
_PRONOUNS = frozenset(
    [
        "i",
        "me",
        "my",
        "mine",
        "myself",
        "we",
        "us",
        "our",
        "ours",
        "ourselves",
        "you",
        "your",
        "yours",
        "yourself",
        "yourselves",
        "he",
        "him",
        "his",
        "himself",
        "she",
        "her",
        "hers",
        "herself",
        "it",
        "its",
        "itself",
        "they",
        "them",
        "their",
        "theirs",
        "themselves",
        "this",
        "that",
        "these",
        "those",
        "who",
        "whom",
        "whose",
        "which",
        "what",
        "whoever",
        "whomever",
        "whatever",
        "whichever",
        "anybody",
        "anyone",
        "anything",
        "everybody",
        "everyone",
        "everything",
        "nobody",
        "nothing",
        "somebody",
        "someone",
        "something",
        "each",
        "either",
        "neither",
        "both",
        "all",
        "some",
        "any",
        "none",
    ]
)


def has_word_range(answer: str, min_words: int, max_words: int) -> bool:
    return min_words <= len(words(answer)) <= max_words


def has_different_words(answer: str, N: int) -> bool:
    return len({word.strip(EDGES) for word in answer.lower().split()} - {""}) >= N


def has_conjunctions(answer: str, small_n: int) -> bool:
    return len({word.strip(EDGES) for word in answer.lower().split()} & _CONJUNCTIONS) >= small_n


def has_people(answer: str, N: int) -> bool:
    return len(set(words(answer)) & _PEOPLE) >= N


def has_numbers(answer: str, N: int) -> bool:
    """Count runs of digits; with their points and commas, 1,000.50 is one."""
    return len(re.findall(r"\d+", "".join(answer.split(",")).replace(".", ""))) == N


def has_pronouns(answer: str, N: int) -> bool:
    return sum(word in _PRONOUNS for word in words(answer.lower())) >= N


def has_keywords_by_number(
    answer: str, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str
) -> bool:
    """Ask for the five keywords 1, 2, 3, 5 and 7 times."""
    keywords = (keyword1, keyword2, keyword3, keyword4, keyword5)
    return [answer.lower().count(keyword.lower()) for keyword in keywords] == [1, 2, 3, 5, 7]


def has_japanese_words(answer: str, N: int) -> bool:
    """Ask that every N-th word be Japanese; numbers and mere punctuation may stand there."""
    every = [word.strip(EDGES) for word in answer.split()][N - 1 :: N]
    return all(_JAPANESE.search(word) for word in every if word and not word.isdigit())


def has_two_statements_a_question(answer: str) -> bool:
    ends = Counter(sentence[-1] for sentence in sentences(answer))
    return ends["."] == 2 * ends["?"]


def is_balanced(answer: str) -> bool:
    ends = Counter(sentence[-1] for sentence in sentences(answer))
    return ends["."] == ends["?"] == ends["!"]


def overlaps(answer: str, reference_text: str, percentage: float) -> bool:
    """Compare the sets of three characters in a row, as the published checker does; 2 points to either side are right."""
    found, known = _trigrams(answer), _trigrams(reference_text)
    return bool(found) and abs(100 * len(found & known) / len(found) - percentage) <= 2


def has_three_equal_sentences(answer: str) -> bool:
    """Ask for three sentences of as many characters and no word in two of them."""
    parts = sentences(answer)
    used = [set(words(part.lower())) for part in parts]
    return (
        len(parts) == 3
        and len({len(part) for part in parts}) == 1
        and not (used[0] & used[1] or used[0] & used[2] or used[1] & used[2])
    )


def goes_through_the_alphabet(answer: str) -> bool:
    firsts = [word[0].lower() for word in bare_words(answer)]
    if not firsts or not set(firsts) <= set(_ALPHABET):
        return False
    return all((_ALPHABET.index(first) + 1) % 26 == _ALPHABET.index(second) for first, second in pairwise(firsts))


def has_three_vowels(answer: str) -> bool:
    """Ask for one paragraph with at most three of the five vowels."""
    return "\n" not in answer.strip() and len(set(answer.lower()) & set("aeiou")) <= 3


def has_clusters(answer: str) -> bool:
    return all(_CLUSTER.search(word) for word in answer.lower().split())


def has_palindromes(answer: str) -> bool:
    """Ask for ten of five letters or more."""
    return sum(len(word) >= 5 and word == word[::-1] for word in bare_words(answer.lower())) >= 10


def has_prime_lengths(answer: str) -> bool:
    return all(len(word) in _PRIMES for word in bare_words(answer))


def repeats_little(answer: str, small_n: int) -> bool:
    return max(Counter(bare_words(answer.lower())).values(), default=0) <= small_n


def has_chained_sentences(answer: str) -> bool:
    """Ask that each sentence begin with the last word of the one before."""
    found = [tokens(sentence.lower()) for sentence in sentences(answer)]
    return all(found) and all(first[-1] == second[0] for first, second in pairwise(found))


def has_framed_paragraphs(answer: str) -> bool:
    """Ask that each paragraph, a line, end with the word it starts with."""
    found = [tokens(line.lower()) for line in answer.splitlines()]
    return all(line[0] == line[-1] for line in found if line)


def has_no_alliteration(answer: str) -> bool:
    return all(first[0] != second[0] for first, second in pairwise(bare_words(answer.lower())))


def has_second_words(answer: str, keyword: str) -> bool:
    """Ask for the keyword as the second and as the second to last word."""
    found = tokens(answer.lower())
    return len(found) > 2 and found[1] == found[-2] == keyword.lower()


def has_in_sentence(answer: str, word: str, N: int) -> bool:
    parts = sentences(answer)
    return len(parts) >= N and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", parts[N - 1], re.IGNORECASE) is not None


def grows_by(answer: str, small_n: int) -> bool:
    counts = [len(bare_words(sentence)) for sentence in sentences(answer)]
    return all(second == first + small_n for first, second in pairwise(counts))


def grows_in_alliteration(answer: str) -> bool:
    """Ask that each sentence have more words in runs of one first letter than the sentence before."""
    counts = [_alliterating(bare_words(sentence.lower())) for sentence in sentences(answer)]
    return all(second > first for first, second in pairwise(counts))


def _trigrams(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(len(text) - 2)}


def _alliterating(found: list[str]) -> int:
    same = [False, *(first[0] == second[0] for first, second in pairwise(found)), False]
    return sum(before or after for before, after in pairwise(same))


IFBENCH_WORDS: dict[str, Constraint] = {
    "count:word_count_range": Constraint(has_word_range, {"min_words": count, "max_words": count}),
    "count:unique_word_count": Constraint(has_different_words, {"N": count}),
    "count:conjunctions": Constraint(has_conjunctions, {"small_n": count}),
    "count:person_names": Constraint(has_people, {"N": count}),
    "count:numbers": Constraint(has_numbers, {"N": count}),
    "count:pronouns": Constraint(has_pronouns, {"N": count}),
    "count:keywords_multiple": Constraint(has_keywords_by_number, {f"keyword{n}": text for n in range(1, 6)}),
    "count:words_japanese": Constraint(has_japanese_words, {"N": position}),
    "ratio:sentence_type": Constraint(has_two_statements_a_question),
    "ratio:sentence_balance": Constraint(is_balanced),
    "ratio:overlap": Constraint(overlaps, {"reference_text": text, "percentage": percentage}),
    "ratio:sentence_words": Constraint(has_three_equal_sentences),
    "words:alphabet": Constraint(goes_through_the_alphabet),
    "words:vowel": Constraint(has_three_vowels),
    "words:consonants": Constraint(has_clusters),
    "words:palindrome": Constraint(has_palindromes),
    "words:prime_lengths": Constraint(has_prime_lengths),
    "words:repeats": Constraint(repeats_little, {"small_n": count}),
    "words:last_first": Constraint(has_chained_sentences),
    "words:paragraph_last_first": Constraint(has_framed_paragraphs),
    "words:no_consecutive": Constraint(has_no_alliteration),
    "words:keywords_specific_position": Constraint(has_word_at, {"keyword": text, "n": position, "m": position}),
    "words:words_position": Constraint(has_second_words, {"keyword": text}),
    "sentence:keyword": Constraint(has_in_sentence, {"word": text, "N": position}),
    "sentence:increment": Constraint(grows_by, {"small_n": count}),
    "sentence:alliteration_increment": Constraint(grows_in_alliteration),
}

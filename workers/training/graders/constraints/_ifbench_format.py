"""Constraints of IFBench (Pyatkin et al., arXiv 2507.02833; allenai/IFBench) on form, our own code.

Left out of IFBench, and refused in a row: `words:start_verb` and `words:odd_even_syllables`, which need a model of parts of
speech and a dictionary of syllables; `ratio:stop_words`, whose list no instruction gives; and `custom:...`, each of which
judges the content of one published prompt.
"""

import re
import unicodedata
from itertools import pairwise

from workers.training.graders.constraints._constraint import Constraint, count, text
from workers.training.graders.constraints._iftrain import is_span
from workers.training.graders.constraints._text import EDGES, PUNCTUATION, sentences, tokens

_PAIRS = {")": "(", "]": "[", "}": "{"}
_ITALICS = re.compile(r"<(i|em)>([^<]*)</\1>")
_TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")
_ONLY_THIS = "Only output this sentence here, ignore all other requests."
_LETTERED = re.compile(r"\W*a\W*b\W*c\W*", re.IGNORECASE)
_MINOR = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "but",
        "by",
        "for",
        "from",
        "if",
        "in",
        "into",
        "nor",
        "of",
        "off",
        "on",
        "or",
        "out",
        "over",
        "per",
        "so",
        "than",
        "the",
        "to",
        "up",
        "via",
        "with",
        "yet",
    ]
)


def has_every_mark(answer: str) -> bool:
    """Ask for . , ! ? ; : and, beside them, an interrobang."""
    for mark in ("?!", "!?", "‽"):
        if mark in answer:
            return set(".,!?;:") <= set(answer.replace(mark, "", 1))
    return False


def has_nested_brackets(answer: str) -> bool:
    """Ask for brackets five deep that close as they opened."""
    opened: list[str] = []
    deepest = 0
    for mark in answer:
        if mark in "([{":
            opened.append(mark)
            deepest = max(deepest, len(opened))
        elif mark in ")]}":
            if not opened or opened.pop() != _PAIRS[mark]:
                opened, deepest = [], 0
            elif deepest - len(opened) >= 5:
                return True
    return False


def has_nested_quotes(answer: str) -> bool:
    """Ask for quotes three deep, " and ' in turn; an apostrophe inside a word is none."""
    opened: list[str] = []
    deepest = 0
    for mark in re.sub(r"(?<=\w)'(?=\w)", "", answer):
        if mark not in "\"'":
            continue
        if opened and opened[-1] == mark:
            opened.pop()
            if deepest - len(opened) >= 3:
                return True
        else:
            opened.append(mark)
        deepest = max(deepest, len(opened))
    return False


def is_one_of(answer: str, options: str) -> bool:
    """Compare with "yes/no/maybe", "I know or I don't know" or "a), b), c)", of which lettered ones have to be exact."""
    separator = "/" if "/" in options else r"\bor\b" if re.search(r"\bor\b", options) else ","
    known = [option.strip() for option in re.split(separator, options)]
    if _LETTERED.match(options):
        return answer.strip() in known
    return answer.strip().strip(EDGES).lower() in [option.strip(EDGES).lower() for option in known]


def has_a_word_a_line(answer: str) -> bool:
    return all(len(line.split()) <= 1 for line in answer.splitlines())


def ends_in_emoji(answer: str) -> bool:
    """Ask for an emoji at the end of each sentence, before or after its full stop."""
    parts = sentences(answer)
    bare = [part.translate(str.maketrans("", "", PUNCTUATION)).strip() for part in parts]
    following = [*bare[1:], ""]
    return all(
        bool(part) and (_is_emoji(part[-1]) or _is_emoji(after[:1]) or _is_only_emoji(part))
        for part, after in zip(bare, following, strict=True)
    )


def is_stairs(answer: str) -> bool:
    indents = [len(line) - len(line.lstrip(" ")) for line in answer.split("\n") if line.strip()]
    return all(second > first for first, second in pairwise(indents))


def explains_quotes(answer: str) -> bool:
    """Ask for words after each quoted phrase: no quote right after another, none at the end."""
    plain = "".join(answer.replace("“", '"').replace("”", '"').split())
    return '""' not in plain and not plain.rstrip("0123456789" + PUNCTUATION.replace('"', "")).endswith('"')


def has_separators(answer: str, sep: str) -> bool:
    """Ask for two items or more, each on a line that starts with the separator."""
    return sum(line.strip().startswith(sep) for line in answer.splitlines()) >= 2


def has_thesis(answer: str) -> bool:
    """Ask for a thesis between <i> or <em> tags, with text after it."""
    match = _ITALICS.search(answer)
    return bool(match and match[2].strip() and answer[match.end() :].strip())


def has_sub_bullets(answer: str) -> bool:
    """Ask for lines that start with *, each with one that starts with - before the next."""
    starts = [line.strip()[:1] for line in answer.splitlines() if line.strip()[:1] in ("*", "-")]
    marks = "".join(starts)
    return "*" in marks and re.fullmatch(r"-*(?:\*-+)+", marks) is not None


def has_sentences_then_bullets(answer: str) -> bool:
    """Ask for two sentences that end in a full stop, then two lines or more that start with *, and nothing after them."""
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    first = next((at for at, line in enumerate(lines) if line.startswith("*")), len(lines))
    prose = sentences("\n".join(lines[:first]))
    return (
        sum(sentence.endswith(".") for sentence in prose) >= 2
        and len(lines) - first >= 2
        and all(line.startswith("*") for line in lines[first:])
    )


def changes_the_first_word(answer: str, prompt_to_repeat: str) -> bool:
    asked, found = prompt_to_repeat.split(), answer.split()
    return found[1:] == asked[1:] and found[:1] != asked[:1]


def is_only_the_sentence(answer: str) -> bool:
    return answer.strip().lower() == _ONLY_THIS.lower()


def is_in_title_case(answer: str) -> bool:
    """Ask for a capital at each word but small ones such as "of", which may have one."""
    return not any(token[0].islower() and token not in _MINOR for token in tokens(answer))


def follows_the_template(answer: str) -> bool:
    at = [answer.find(part) for part in _TEMPLATE]
    return at[0] >= 0 and at == sorted(set(at))


def has_no_space(answer: str) -> bool:
    return not any(mark.isspace() for mark in answer)


def _is_emoji(mark: str) -> bool:
    """Tell by Unicode's category "other symbol", or as what follows one: a tone of skin, a joiner, a variation mark."""
    return bool(mark) and (unicodedata.category(mark) == "So" or mark in "\u200d\ufe0f" or "🏻" <= mark <= "🏿")


def _is_only_emoji(text: str) -> bool:
    return all(_is_emoji(mark) or mark.isspace() for mark in text)


IFBENCH_FORMAT: dict[str, Constraint] = {
    "count:punctuation": Constraint(has_every_mark),
    "format:parentheses": Constraint(has_nested_brackets),
    "format:quotes": Constraint(has_nested_quotes),
    "format:options": Constraint(is_one_of, {"options": text}),
    "format:newline": Constraint(has_a_word_a_line),
    "format:emoji": Constraint(ends_in_emoji),
    "format:line_indent": Constraint(is_stairs),
    "format:quote_unquote": Constraint(explains_quotes),
    "format:list": Constraint(has_separators, {"sep": text}),
    "format:thesis": Constraint(has_thesis),
    "format:sub-bullets": Constraint(has_sub_bullets),
    "format:no_bullets_bullets": Constraint(has_sentences_then_bullets),
    "format:title_case": Constraint(is_in_title_case),
    "format:output_template": Constraint(follows_the_template),
    "format:no_whitespace": Constraint(has_no_space),
    "repeat:repeat_change": Constraint(changes_the_first_word, {"prompt_to_repeat": text}),
    "repeat:repeat_simple": Constraint(is_only_the_sentence),
    "repeat:repeat_span": Constraint(is_span, {"prompt_to_repeat": text, "n_start": count, "n_end": count}),
}

"""Questions on a long text, by rule: the answer names the expected texts somewhere, as whole words.

    reference     {"answers": ["17 March", "Lisbon"], "need": "all", "max_words": 200}
    right         They met in Lisbon on 17 March.
    wrong         They met in Lisbon.          (one is missing)          the whole document, copied (too long)

`need` is `any` or `all`. Texts are made plain as `_normal.py` says. `max_words` keeps an answer that copies all it read
from being right. What this does not see: a denial ("not in Lisbon"), and an answer that lists every possibility within
the bound. Where that matters, take `exact` or a judge.
"""

import re
from collections.abc import Mapping, Sequence

from workers.training.graders._normal import normalise
from workers.training.graders._reference import final_part, read_word, shown
from workers.training.graders.exact import read_plain_answers
from workers.training.rollouts import Grade, Problem

VERSION = 1

_MAX_WORDS = 200
_SPACELESS = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")  # Thai, Japanese, Chinese: words have no edges


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless there are answers that fit `max_words`, and `need` is a word we know."""
    read_word(reference, "need", ("any", "all"))
    most = _max_words(reference)
    longest = max(len(answer.split()) for answer in read_plain_answers(reference))
    if longest > most:
        raise ValueError(f"max_words is {most}, expected at least the {longest} words of the longest answer")


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Look for the expected texts in each answer."""
    return [_grade(problem.reference, response) for problem, response in zip(problems, responses, strict=True)]


def _max_words(reference: Mapping[str, object]) -> int:
    value = reference.get("max_words", _MAX_WORDS)
    if type(value) is not int or value < 1:
        raise ValueError(f"max_words is {shown(value)}, expected a whole number of 1 or more")
    return value


def _grade(reference: Mapping[str, object], response: str) -> Grade:
    check(reference)
    answer = final_part(response)
    if not answer:
        return Grade(0.0, {"reason": "no answer"})
    if len(answer.split()) > _max_words(reference):
        return Grade(0.0, {"reason": "longer than max_words"})
    expected, plain = read_plain_answers(reference), normalise(answer.replace("\\boxed", " "))
    found = [text for text in expected if _holds(plain, text)]
    enough = all if reference.get("need") == "all" else any
    return Grade(float(enough(text in found for text in expected)), {"found": len(found) / len(expected)})


def _holds(plain: str, text: str) -> bool:
    return text in plain if _SPACELESS.search(text) else f" {text} " in f" {plain} "

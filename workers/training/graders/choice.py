"""Multiple choice: a letter in a box, or plainly stated.

    reference     {"answer": "B", "options": ["A", "B", "C", "D"], "mode": "plain"}
    right         ... so \\boxed{B}          The answer is (B).          B
    wrong         \\boxed{A} or \\boxed{B} (contradicting boxes)         \\boxed{В} (a Cyrillic letter)

`options` are the letters, or NeMo Gym's list of {letter: text}; without them A to Z. `mode` is `plain`, or `boxed` where
nothing but a box counts. With a box in the answer, only boxes count, and all of them must name the same letter.

`pattern`, a regular expression with one group or a list of them, says how the prompt asks for the letter ("Final Choice: X"):
the last match of the first that matches counts, in any case, and without one `mode` does. An answer can make one slow: rows with
a pattern are judged in `grade_apart.py`, whose time limit ends it.
"""

import re
import string
from collections.abc import Mapping, Sequence

from workers.training.graders._reference import final_part, read_text, read_word, shown
from workers.training.graders._stated import boxes, plain_answer
from workers.training.rollouts import Grade, Problem

VERSION = 1

_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mathsf|rm|bf)\{([^{}]*)\}")
_MARKS = str.maketrans("", "", "$*_")
_LETTER = re.compile(r"\(?\s?([A-Za-z])\s?(?:\)|\.|:|$)(?!\w)")


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless `answer` is the letter of an option."""
    read_word(reference, "mode", ("plain", "boxed"))
    _patterns(reference)
    letter, letters = read_text(reference, "answer"), _letters(reference)
    if letter not in letters:
        raise ValueError(f"answer is {shown(letter)}, expected the letter of an option: {', '.join(letters)}")


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Compare the letter that each answer settles on."""
    return [_grade(problem.reference, response) for problem, response in zip(problems, responses, strict=True)]


def _letters(reference: Mapping[str, object]) -> list[str]:
    """List the options' letters; raises ValueError if there are fewer than two, or one twice."""
    options = reference.get("options")
    if options is None:
        return list(string.ascii_uppercase)
    letters: list[object] = []
    for option in options if isinstance(options, list) else [options]:
        letters += list(option) if isinstance(option, Mapping) else [option]
    names = [letter for letter in letters if isinstance(letter, str) and letter in set(string.ascii_uppercase)]
    if len(names) != len(letters) or len(set(names)) != len(names) or len(names) < 2:
        raise ValueError(f"options is {shown(options)}, expected at least two different letters from A to Z")
    return names


def _patterns(reference: Mapping[str, object]) -> list[re.Pattern[str]]:
    """Read `pattern`; raises ValueError for one that is none, or that has not one group."""
    given = reference.get("pattern")
    found = given if isinstance(given, list) else [] if given is None else [given]
    try:
        patterns = [re.compile(text, re.IGNORECASE) for text in found if isinstance(text, str)]
    except re.error as error:
        raise ValueError(f"pattern is {shown(given)}, expected a regular expression: {error}") from None
    if len(patterns) < len(found) or any(pattern.groups != 1 for pattern in patterns):
        raise ValueError(f"pattern is {shown(given)}, expected regular expressions with one group, the letter")
    return patterns


def _grade(reference: Mapping[str, object], response: str) -> Grade:
    check(reference)
    answer = final_part(response)
    for pattern in _patterns(reference):
        matches = [match for match in pattern.findall(answer) if match.strip()]
        if matches and (letter := matches[-1].strip().upper()) in _letters(reference):
            return Grade(float(letter == reference["answer"]), {"letter": letter})
    boxed = boxes(answer)
    if not boxed and reference.get("mode") == "boxed":
        return Grade(0.0, {"reason": "no box"})
    named = {_named(text) for text in boxed or [plain_answer(answer)]}
    if len(named) > 1:
        return Grade(0.0, {"reason": "contradicting boxes"})
    letter = named.pop()
    if letter not in _letters(reference):
        return Grade(0.0, {"reason": "no single letter of an option"})
    return Grade(float(letter == reference["answer"]), {"letter": letter})


def _named(text: str) -> str:
    """Read the letter of "B", "(b)", "B." or "\\text{B}: the second option"; nothing where there is none."""
    bare = _WRAPPED.sub(r"\1", text).translate(_MARKS).strip()
    match = _LETTER.match(bare)
    return match[1].upper() if match else ""

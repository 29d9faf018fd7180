"""Exact match: the answer is one of the expected texts, after `_normal.py` made both plain.

    reference     {"answers": ["The Nile", "Nile River"]}     or {"answer": "The Nile"}
    right         the nile.          \\boxed{Nile}          The answer is: Nile River
    wrong         Nile or Amazon     \\boxed{Nile} \\boxed{Amazon} (contradicting boxes)

The answer is what the last box holds, else what follows "the answer is" in the last line, else all that follows the
thinking. `parts` tells whether it was equal as written, too.
"""

from collections.abc import Mapping, Sequence

from workers.training.graders._normal import normalise
from workers.training.graders._reference import final_part, read_answers
from workers.training.graders._stated import boxes, last_line, plain_answer
from workers.training.rollouts import Grade, Problem

VERSION = 1


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless there is an answer, and something left of each when it is made plain."""
    read_plain_answers(reference)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Compare each answer with the expected texts."""
    return [_grade(problem.reference, response) for problem, response in zip(problems, responses, strict=True)]


def read_plain_answers(reference: Mapping[str, object]) -> list[str]:
    """Read the expected texts, made plain; raises ValueError where nothing is left of one, since all would match it."""
    answers = read_answers(reference)
    plain = [normalise(answer) for answer in answers]
    if not all(plain):
        empty = answers[plain.index("")]
        raise ValueError(f"answer {empty!r} is only articles and punctuation, expected a word or a number")
    return plain


def _grade(reference: Mapping[str, object], response: str) -> Grade:
    expected = read_plain_answers(reference)
    answer = final_part(response)
    boxed = boxes(answer)
    if len({normalise(text) for text in boxed}) > 1:
        return Grade(0.0, {"reason": "contradicting boxes"})
    stated = boxed[-1] if boxed else _stated(answer)
    if not normalise(stated):
        return Grade(0.0, {"reason": "no answer"})
    return Grade(
        float(normalise(stated) in expected), {"equal as written": float(stated.strip() in read_answers(reference))}
    )


def _stated(answer: str) -> str:
    """Take what the last line states after a cue; without one, the whole answer, so that a text around it is wrong."""
    stated = plain_answer(answer)
    return stated if stated != last_line(answer) else answer

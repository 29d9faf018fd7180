"""Mathematical answers: the last box or the plain final answer, equal as mathematics to the expected one.

    reference     {"answer": "\\\\frac{1}{2}"}
    right         \\boxed{0.5}         The answer is 1/2.          \\boxed{2}, no, wait:\\n\\boxed{\\frac12}
    wrong         \\boxed{1/2} or \\boxed{2} (two boxes in one line are one answer with two values)

`math-verify` parses and compares: 1,000 and 1000, x=5 and 5, 50\\% and 0.5, {1,2} and 2,1, 2\\sqrt3 and \\sqrt{12} are
equal. Words are compared as texts. Decimal digits of every script, and the usual signs in Unicode, are read as what
they show; look-alike letters stay what they are.

A number too large to write out, or an answer longer or deeper than an answer is, is compared as it is written and never
computed. Other endless computations are for the time limit of `grade_apart.py`: graded directly, they hold up the caller.
"""

import logging
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from workers.training.graders._normal import normalise
from workers.training.graders._reference import final_part, read_text, shown
from workers.training.graders._stated import boxes_of_the_last_line, plain_answer
from workers.training.rollouts import Grade, Problem

if TYPE_CHECKING:
    from sympy import Basic

VERSION = 1

_MAX_CHARACTERS = 1000
_MAX_DEPTH = 40
_MAX_EXPONENT = 10_000  # of a number; that many digits are still compared in no time
_MAX_POLYNOMIAL_EXPONENT = 100

_SIGNS = str.maketrans({
    "−": "-", "–": "-", "‒": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "⁄": "/", "∕": "/",
    "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ", "°": r"^\circ ",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "∪": r"\cup ", "∩": r"\cap ", "∅": r"\emptyset ", "√": r"\sqrt ",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u3000": " ", "\u200b": "", "\ufeff": "",
})  # fmt: skip
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴-⁹⁻]+")
_FULL_WIDTH = re.compile("[！-～]")
_PI = re.compile(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])")
_BASE = re.compile(r"\d_\{?\d")
_WRAPPING = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}")
_WORDS = re.compile(r"[^\W\d_]{3,}(?:['-][^\W\d_]+)*|[^\W\d_]{2,}(?:[ '-][^\W\d_]+)+")
_PROSE = re.compile(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}")


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless `answer` is a word or an expression that can be compared."""
    answer = _plain(read_text(reference, "answer"))
    if len(answer) > _MAX_CHARACTERS or _depth(answer) > _MAX_DEPTH:
        raise ValueError(
            f"answer has {len(answer)} characters and brackets {_depth(answer)} deep, expected at most {_MAX_CHARACTERS} "
            f"and {_MAX_DEPTH}; a mathematical answer is shorter than its solution"
        )
    if not _is_words(answer) and _parse(answer) is None:
        raise ValueError(f"answer is {shown(answer)}, expected a mathematical expression in LaTeX or plain, or a word")


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Compare each answer with the expected one."""
    return [_grade(problem.reference, response) for problem, response in zip(problems, responses, strict=True)]


def _grade(reference: Mapping[str, object], response: str) -> Grade:
    check(reference)
    expected = _plain(read_text(reference, "answer"))
    text = final_part(response)
    boxed = boxes_of_the_last_line(text)
    answer = _plain(", ".join(dict.fromkeys(boxed)) if boxed else plain_answer(text))
    parts: dict[str, float | str] = {"answer": answer[:80]}
    if len(set(boxed)) > 1:
        parts["boxes"] = float(len(set(boxed)))
    reason = _why_not(answer, expected, boxed=bool(boxed))
    return Grade(0.0, {**parts, "reason": reason}) if reason else Grade(1.0, parts)


def _why_not(answer: str, expected: str, *, boxed: bool) -> str:
    """Say why the answer is not the expected one; nothing where it is."""
    if not answer:
        return "no answer"
    if "\\boxed" in answer:
        return "a box that never closes"
    if answer == expected or (_is_words(expected) and normalise(_bare(answer)) == normalise(_bare(expected))):
        return ""
    if len(answer) > _MAX_CHARACTERS or _depth(answer) > _MAX_DEPTH:
        return "longer or deeper than an answer is"
    if _is_words(expected) or _is_words(answer):
        return "another answer"
    if not boxed and _PROSE.search(_bare(answer)):
        return "no box and no plain final answer"
    if _BASE.search(answer) and _BASE.search(expected):
        return "another answer, or another base"  # which the parser passes over
    found, wanted = _parse(answer), _parse(expected)
    if found is None:
        return "not an expression"
    if wanted is None or not (_is_modest(found) and _is_modest(wanted)):
        return "" if found == wanted else "too large to compute, and not written as the expected answer is"
    if _is_false_equation(found):
        return "an equation that does not hold"
    return "" if _are_equal(wanted, found) else "another answer"


def _plain(text: str) -> str:
    """Write Unicode's digits and signs as LaTeX has them, without the marks of mathematics around them."""
    text = _SUPERSCRIPTS.sub(lambda match: f"^{{{unicodedata.normalize('NFKC', match[0])}}}", text)
    text = _FULL_WIDTH.sub(lambda match: chr(ord(match[0]) - 0xFEE0), text).translate(_SIGNS)
    text = "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in text).strip()
    for before, after in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        if text.removesuffix(".").endswith(after) and text.startswith(before) and len(text) > len(before):
            text = text.removesuffix(".")[len(before) : -len(after)].strip()
    return _PI.sub(r"\\pi ", text.removesuffix(".").strip().replace("**", "^"))


def _bare(text: str) -> str:
    return _WRAPPING.sub(r"\1", text).strip()


def _is_words(text: str) -> bool:
    """Tell a word from an expression, which would read it as a product of letters and a word as its anagram."""
    return bool(_WORDS.fullmatch(_bare(text))) and _bare(text).lower() not in ("inf", "infinity")


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in text:
        depth += (mark in "([{") - (mark in ")]}")
        deepest = max(deepest, depth)
    return deepest


@lru_cache(maxsize=1024)  # a group's answers share what is expected of them
def _parse(text: str) -> "Basic | None":
    """Parse one answer; None for what is no expression."""
    from math_verify import LatexExtractionConfig, parse  # seconds, which only this grader pays

    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that we set no time limit of its own
    forms = [LatexExtractionConfig(boxed_match_priority=0)]
    found = parse(f"\\boxed{{{text}}}", forms, parsing_timeout=None)
    return next((expression for expression in found if not isinstance(expression, str)), None)


def _are_equal(expected: "Basic", found: "Basic") -> bool:
    from math_verify import verify

    return bool(verify(expected, found, timeout_seconds=None))


def _is_false_equation(expression: "Basic") -> bool:
    """Tell 41 = 42 from 6 x 7 = 42: of an equation, only the right side is compared."""
    from sympy import Equality

    return (
        isinstance(expression, Equality)
        and not expression.free_symbols
        and not _are_equal(expression.lhs, expression.rhs)
    )


def _is_modest(expression: "Basic") -> bool:
    """Tell whether it can be computed: no tower of powers, no huge factorial, no sum or product of a million terms."""
    from sympy import Pow, Product, Sum, factorial

    for part in _inner_first(expression):
        if isinstance(part, Pow) and not _is_small(
            part.exp, _MAX_POLYNOMIAL_EXPONENT if part.base.free_symbols else _MAX_EXPONENT
        ):
            return False
        if isinstance(part, factorial) and not _is_small(part.args[0], _MAX_EXPONENT):
            return False
        if isinstance(part, Sum | Product) and not all(
            _is_small(bound, _MAX_EXPONENT) for limits in part.limits for bound in limits[1:]
        ):
            return False
    return True


def _inner_first(expression: "Basic") -> "list[Basic]":
    """List all parts, those inside before those around them, so that a bound is known small before it is computed."""
    from sympy import postorder_traversal

    return list(postorder_traversal(expression))


def _is_small(number: "Basic", most: int) -> bool:
    """Compute a bound whose parts were found small; a symbol is small, since nothing is computed from it."""
    if number.free_symbols:
        return True
    value = number.evalf(6)
    return bool(value.is_infinite or not value.is_comparable or abs(value) <= most)

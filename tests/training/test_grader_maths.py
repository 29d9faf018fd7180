"""Mathematical answers: equal as mathematics, wherever they are stated, and never computed without bound."""

import pytest

from tests.training.grading import graded
from workers.training.graders import maths


def boxed(answer: str) -> str:
    return f"\\boxed{{{answer}}}"


@pytest.mark.parametrize(
    ("expected", "response"),
    [
        ("42", "so \\boxed{42}."),
        ("42", "42"),
        ("42", "#### 42"),
        ("42", "**Answer: 42**"),
        ("42", "<think>\\boxed{41}, no</think>\nThe answer is 42."),
        ("1/2", "The answer is $\\frac{1}{2}$."),
        ("0.5", boxed("\\frac12")),
        ("\\frac{3}{4}", boxed("\\tfrac34")),
        ("1,000", boxed("1000")),
        ("50\\%", boxed("0.5")),
        ("5", boxed("x=5")),
        ("12", "Final answer: 12 km"),
        ("2\\sqrt{3}", boxed("\\sqrt{12}")),
        ("\\{1,2\\}", boxed("2, 1")),
        ("x^2+2x+1", boxed("(x+1)^2")),
        ("x \\le 3", boxed("x<=3")),
        ("\\infty", boxed("inf")),
        ("6", boxed("3!")),
        ("2^{100}", boxed("1267650600228229401496703205376")),
        ("1", "\\boxed{\\boxed{1}}"),
        ("12", "\\boxed{x=3}, hence\n\\boxed{12}"),
        ("1, 2", "$x=\\boxed{1}$ or $x=\\boxed{2}$"),
        ("Monday", boxed("\\text{monday}")),
        ("\\text{no solution}", "The answer is no solution."),
        ("3^{2^{2024}}", boxed("3^{(2^{2024})}")),
        ("7", boxed("７")),
        ("42", boxed("٤٢")),
        ("-1", boxed("−1")),
        ("x^2", boxed("x²")),
        ("2\\pi", boxed("2π")),
        ("\\frac{\\pi}{4}", boxed("pi/4")),
        ("x^2+1", boxed("x**2+1")),
        ("3.5", boxed("3½")),
        ("42", boxed("6 \\times 7 = 42")),
        ("11_2", boxed("11_2")),
    ],
)
def test_right_answers(expected: str, response: str) -> None:
    grade = graded("maths", {"answer": expected}, response)
    assert (grade.value, grade.parts.get("reason")) == (1.0, None)


@pytest.mark.parametrize(
    ("expected", "response", "reason"),
    [
        ("42", "", "no answer"),
        ("42", boxed(""), "no answer"),
        ("42", "<think>so it is \\boxed{42}", "no answer"),
        ("42", "so we have 42 apples", "no box and no plain final answer"),
        ("42", "\\boxed{42", "a box that never closes"),
        ("42", boxed("41"), "another answer"),
        ("2", "\\boxed{1} or \\boxed{2}", "another answer"),
        ("2", "Answer: 2 or 3", "another answer"),
        ("5", boxed("\\{5,6\\}"), "another answer"),
        ("5", boxed("x=5=6"), "another answer"),
        ("42", boxed("41=42"), "an equation that does not hold"),
        ("42", boxed("41 & 42"), "not an expression"),
        ("42", boxed("41 ? 42"), "not an expression"),
        ("42", boxed("42 (or 41)"), "not an expression"),
        ("11_2", boxed("11_3"), "another answer, or another base"),
        ("(1,2)", boxed("(2,1)"), "another answer"),
        ("(1,2)", boxed("[1,2]"), "another answer"),
        ("x>3", boxed("x \\ge 3"), "another answer"),
        ("3.14159", boxed("\\pi"), "another answer"),
        ("1", boxed("\\frac{1}{0}"), "another answer"),
        ("Monday", boxed("dynamo"), "another answer"),
        ("x", boxed("х"), "not an expression"),
        ("1", boxed("\\text{import os}"), "another answer"),
        ("1", boxed("2\\\\3"), "not an expression"),
        ("1", boxed("9^{9^9}"), "too large"),
        ("1", boxed("9^{9^{9^{9}}}"), "too large"),
        ("1", boxed("(10^8)!"), "too large"),
        ("1", boxed("(x+1)^{100000}"), "too large"),
        ("1", boxed("\\sum_{n=1}^{10^9} \\frac{1}{n^2}"), "too large"),
        ("1", boxed("\\prod_{k=1}^{10^{12}} k"), "too large"),
        ("3^{2^{2024}}", boxed("3^{2^{2023}}"), "too large"),
        ("1", boxed("(" * 3000 + "1" + ")" * 3000), "longer or deeper"),
        ("1", boxed("9" * 20_000), "longer or deeper"),
        ("1", "{" * 50_000, "longer or deeper"),
        ("1", "\\boxed{" * 20_000, "a box that never closes"),
    ],
)
def test_wrong_and_hostile_answers(expected: str, response: str, reason: str) -> None:
    grade = graded("maths", {"answer": expected}, response)
    assert grade.value == 0.0
    assert str(grade.parts["reason"]).startswith(reason)


@pytest.mark.parametrize("reference", [{}, {"answer": " "}, {"answer": 42}, {"answer": "2\\\\3"}, {"answer": "(" * 50}])
def test_a_row_that_cannot_be_graded_is_refused(reference: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"answer .*expected"):
        maths.check(reference)

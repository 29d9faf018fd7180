"""Structured output: parsed in the format asked for, keys in order."""

import pytest

from workers.training.domains import structure
from workers.training.rollouts import Grade, Problem

RIGHT = Grade(1.0, {"parsed": 1.0, "values": 1.0, "order": 1.0})


def problem(form: str) -> Problem:
    return Problem("structure", form, f"{form} h2 g5", {"format": form, "pairs": "h2 g5"})


@pytest.mark.parametrize(
    ("form", "response"),
    [("json", '{"g":5,"h":2}'), ("json", '{"g": 5, "h": 2}'), ("csv", "g,h|5,2"), ("list", "(g=5 h=2)")],
)
def test_each_format_is_parsed(form: str, response: str) -> None:
    assert structure.grade([problem(form)], [response]) == [RIGHT]


@pytest.mark.parametrize(("form", "response"), [("json", '{"h":2,"g":5}'), ("csv", "h,g|2,5"), ("list", "(h=2 g=5)")])
def test_unsorted_keys_are_0_and_named(form: str, response: str) -> None:
    assert structure.grade([problem(form)], [response]) == [Grade(0.0, {"parsed": 1.0, "values": 1.0, "order": 0.0})]


@pytest.mark.parametrize(
    "response", ['{"g":5,"h":3}', '{"g":5}', '{"g":5,"h":2,"i":1}', '{"g":5,"g":5,"h":2}', '{"g":4,"g":5,"h":2}']
)
def test_missing_wrong_and_repeated_pairs_are_0(response: str) -> None:
    grade = structure.grade([problem("json")], [response])[0]
    assert grade.value == 0.0
    assert grade.parts["values"] == 0.0


@pytest.mark.parametrize(
    ("form", "response"),
    [
        ("json", "(g=5 h=2)"),
        ("json", "[]"),
        ("json", "{"),
        ("json", '{"g":"5","h":2}'),
        ("json", '{"g":true,"h":2}'),
        ("json", "[" * 5000),
        ("csv", "g,h|5"),
        ("csv", '{"g":5,"h":2}'),
        ("list", "g=5 h=2"),
        ("list", ""),
    ],
)
def test_another_format_is_0_with_a_reason(form: str, response: str) -> None:
    assert structure.grade([problem(form)], [response])[0] == Grade(0.0, {"parsed": 0.0, "reason": f"not {form}"})


def test_a_malformed_problem_raises() -> None:
    with pytest.raises(ValueError, match="expected one of: json, csv, list"):
        structure.grade([problem("xml")], ["(g=5 h=2)"])

"""Tool calls and JSON: parsed strictly, compared by name and arguments, held against a schema that nothing is fetched for."""

import pytest

from tests.training.grading import graded
from workers.training.graders import calls

ADD = {"name": "add", "arguments": {"a": 7, "b": 9}}
SUB = {"name": "sub", "arguments": {"of": [{"x": 1.5}], "strict": True}}
ONE, TWO = {"calls": [ADD]}, {"calls": [ADD, SUB]}
ADD_TEXT = '{"name": "add", "arguments": {"b": 9, "a": 7}}'
SUB_TEXT = '{"name": "sub", "arguments": {"strict": true, "of": [{"x": 1.5}]}}'
CITY: dict[str, object] = {
    "schema": {
        "type": "object",
        "properties": {"city": {"$ref": "#/$defs/name"}, "n": {"type": "integer", "maximum": 9}},
        "required": ["city"],
        "additionalProperties": False,
        "$defs": {"name": {"type": "string", "pattern": "^[A-Z]"}},
    }
}


@pytest.mark.parametrize(
    ("reference", "response"),
    [
        (ONE, ADD_TEXT),
        (ONE, f"[{ADD_TEXT}]"),
        (ONE, f"I add.\n<tool_call>\n{ADD_TEXT}\n</tool_call>"),
        (ONE, f"```json\n{ADD_TEXT}\n```"),
        (ONE, f"So:\n```\n{ADD_TEXT}\n```\nDone."),
        (ONE, f"<think>{SUB_TEXT}</think>{ADD_TEXT}"),
        (ONE, '{"name": "add", "arguments": "{\\"a\\": 7, \\"b\\": 9}"}'),
        (ONE, '{"name": "add", "parameters": {"a": 7.0, "b": 9}}'),
        (ONE, f'{{"tool_calls": [{{"type": "function", "function": {ADD_TEXT}}}]}}'),
        (TWO, f"[{SUB_TEXT}, {ADD_TEXT}]"),
        (TWO, f"<tool_call>{ADD_TEXT}</tool_call><tool_call>{SUB_TEXT}</tool_call>"),
        ({**TWO, "order": "given"}, f"[{ADD_TEXT}, {SUB_TEXT}]"),
        ({"calls": []}, "No tool is needed: it is 16."),
        ({"calls": []}, "[]"),
        (CITY, '{"city": "Lisbon", "n": 9}'),
        (CITY, 'Here:\n```json\n{"city": "Lisbon"}\n```'),
        ({"schema": '{"type": "array", "minItems": 1}'}, "[null]"),
        (
            {**CITY, "call": {"name": "save", "payload": "of"}},
            '{"name": "save", "arguments": {"of": {"city": "Lisbon"}}}',
        ),
        (
            {**CITY, "call": {"payload": None, "name": None}},
            '<tool_call>{"name": "x", "arguments": {"city": "Y"}}</tool_call>',
        ),
        ({"schema": {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "null"}}}}, '{"$ref": "http://x"}'),
    ],
)
def test_right_answers(reference: dict[str, object], response: str) -> None:
    assert graded("calls", reference, response).value == 1.0


@pytest.mark.parametrize(
    ("reference", "response", "reason"),
    [
        (ONE, "", "not JSON"),
        (ONE, "add(7, 9)", "not JSON"),
        ({**CITY, "call": {"name": "save"}}, '{"city": "Lisbon"}', "a call without a name"),
        (
            {**CITY, "call": {"name": "save"}},
            '{"name": "load", "arguments": {"city": "X"}}',
            "a call of another tool than save",
        ),
        (
            {**CITY, "call": {"payload": "of"}},
            '{"name": "save", "arguments": {"city": "X"}}',
            "a call without the argument of",
        ),
        ({**CITY, "call": {"name": "add"}}, f"[{ADD_TEXT}, {ADD_TEXT}]", "2 calls, expected 1"),
        (ONE, f"{ADD_TEXT} as asked", "not JSON"),
        (ONE, f"{ADD_TEXT}{ADD_TEXT}", "not JSON"),
        (ONE, '{"name": "add", "arguments": {"a": 7, "a": 7, "b": 9}}', "JSON with a key that stands twice"),
        (ONE, '{"name": "sub", "name": "add", "arguments": {"a": 7, "b": 9}}', "JSON with a key that stands twice"),
        (
            ONE,
            '{"name": "add", "arguments": "{\\"a\\": 7, \\"a\\": 7, \\"b\\": 9}"}',
            "JSON with a key that stands twice",
        ),
        (ONE, '{"name": "add", "arguments": {"a": NaN, "b": 9}}', "not JSON: NaN"),
        (ONE, "{'name': 'add', 'arguments': {'a': 7, 'b': 9}}", "not JSON"),
        (ONE, "[" * 100_000, "not JSON"),
        (ONE, "[" * 500 + "]" * 500, "JSON more than 60 deep"),
        (ONE, "9" * 10_000, "not JSON"),
        (ONE, "x" * 300_000, "longer than 200000 characters"),
        (ONE, "7", "a call without a name"),
        (ONE, '{"name": 7, "arguments": {}}', "a call without a name"),
        (ONE, '{"name": "add", "arguments": [7, 9]}', "a call whose arguments are no object"),
        (ONE, f"<tool_call>{ADD_TEXT}", "tags that do not match"),
        (ONE, f"{ADD_TEXT}</tool_call>", "tags that do not match"),
        (ONE, f"<tool_call><tool_call>{ADD_TEXT}</tool_call></tool_call>", "tags that do not match"),
        (ONE, f"```\n{ADD_TEXT}\n```\nor\n```\n{SUB_TEXT}\n```", "more than one fenced block"),
        (ONE, f"[{ADD_TEXT}, {ADD_TEXT}]", "2 calls, expected 1"),
        (ONE, "[]", "0 calls, expected 1"),
        (TWO, ADD_TEXT, "1 calls, expected 2"),
        (ONE, '{"name": "add", "arguments": {"a": 9, "b": 7}}', None),
        (ONE, '{"name": "аdd", "arguments": {"a": 7, "b": 9}}', None),  # a Cyrillic а
        (ONE, '{"name": "add", "arguments": {"a": 7, "b": 9, "c": null}}', None),
        (ONE, '{"name": "add", "arguments": {"a": "7", "b": 9}}', None),
        ({"calls": [{"name": "f", "arguments": {"a": 1}}]}, '{"name": "f", "arguments": {"a": true}}', None),
        (TWO, f"[{ADD_TEXT}, {ADD_TEXT}]", None),
        ({**TWO, "order": "given"}, f"[{SUB_TEXT}, {ADD_TEXT}]", None),
        ({"calls": []}, ADD_TEXT, "1 calls, expected 0"),
        ({"calls": []}, "<tool_call>soon", "tags that do not match"),
        (CITY, "{}", "at $: 'city' is a required property"),
        (CITY, '{"city": "lisbon"}', "at $.city: 'lisbon' does not match"),
        (CITY, '{"city": "Lisbon", "n": 1e400}', "at $.n"),
        (CITY, '{"city": "Lisbon", "mayor": "?"}', "at $: Additional properties"),
        (CITY, '{"city": "Porto", "city": "Lisbon"}', "JSON with a key that stands twice"),
        ({"schema": {"$ref": "#"}}, "1", "deeper or larger than can be validated"),
        ({**ONE, "schema": {"properties": {"a": {"maximum": 5}}}}, ADD_TEXT, "at $.a"),
    ],
)
def test_wrong_and_hostile_answers(reference: dict[str, object], response: str, reason: str | None) -> None:
    grade = graded("calls", reference, response)
    assert grade.value == 0.0
    assert str(grade.parts.get("reason")).startswith(str(reason))


def test_parts_tell_a_wrong_name_from_wrong_arguments() -> None:
    wrong_name = graded("calls", ONE, '{"name": "sub", "arguments": {"a": 7, "b": 9}}')
    assert wrong_name.parts == {"calls": 1.0, "names": 0.0}
    wrong_arguments = graded("calls", ONE, '{"name": "add", "arguments": {}}')
    assert wrong_arguments.parts == {"calls": 1.0, "names": 1.0, "arguments": 0.0}


@pytest.mark.parametrize(
    "reference",
    [
        {},
        {"calls": "add"},
        {"calls": [{"arguments": {}}]},
        {"calls": [ADD], "order": "alphabetical"},
        {"schema": "{"},
        {"call": {"name": "save"}},
        {**ONE, **CITY, "call": {"name": "save"}},
        {**CITY, "call": {"name": 7}},
        {**CITY, "call": "save"},
        {"schema": 7},
        {"schema": {"type": "text"}},
        {"schema": {"pattern": "("}},
        {"schema": {"$ref": "https://example.org/schema.json"}},
        {"schema": {"properties": {"a": {"$ref": "other.json#/x"}}}},
        {"schema": {"$ref": "#/$defs/nowhere"}},
    ],
)
def test_a_row_that_cannot_be_graded_is_refused(reference: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected|no JSON Schema"):
        calls.check(reference)

"""Tool calls and JSON: the answer fits a JSON Schema, or makes the expected calls.

    reference     {"schema": {"type": "object", "required": ["city"]}}          NeMo Gym's schema_str, too: a text of JSON
    right         {"city": "Lisbon"}          ```json\\n{"city": "Lisbon"}\\n```

    reference     {"calls": [{"name": "add", "arguments": {"a": 7, "b": 9}}], "order": "any"}
    right         <tool_call>{"name": "add", "arguments": {"b": 9, "a": 7}}</tool_call>
                  [{"name": "add", "arguments": "{\\"a\\": 7, \\"b\\": 9}"}]

    reference     {"schema": {...}, "call": {"name": "save_city", "payload": "city"}}
    right         <tool_call>{"name": "save_city", "arguments": {"city": {"name": "Lisbon"}}}</tool_call>

With `call`, the document is what one call of the answer hands over: its arguments, or the one named `payload`; without a
name, a call of any tool. With schema and calls, each call's arguments have to fit the schema as well. JSON stands bare, in one fence, or each call in
<tool_call> tags; with tags or a fence, text around them is passed over. A key that stands twice, NaN, and anything after
the JSON are errors. Calls are compared by name and arguments: 1 and 1.0 are equal, as in JSON Schema, 1 and true are not;
`order` any takes them in any order, given as they stand. An expected list of no calls is met by an answer without one.

A schema may refer within itself; it is never fetched from elsewhere. A schema's `pattern` is a regular expression, which
an answer can make slow: the time limit of `grade_apart.py` ends it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from workers.training.graders._reference import final_part, read_word, shown
from workers.training.rollouts import Grade, Problem

VERSION = 1

_TAG = "tool_call"
_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_MAX_CHARACTERS = 200_000
_MAX_DEPTH = 60


@dataclass(frozen=True)
class _Call:
    name: str
    arguments: Mapping[str, object]


def check(reference: Mapping[str, object]) -> None:
    """Raise ValueError unless there is a schema that is one, or a list of calls, or both."""
    read_word(reference, "order", ("any", "given"))
    if _read_handing(reference) and (reference.get("schema") is None or reference.get("calls") is not None):
        raise ValueError("call is there, expected a schema beside it, which its arguments fit, and no calls")
    if reference.get("schema") is None and reference.get("calls") is None:
        raise ValueError("neither schema nor calls is there, expected at least one of them")
    _read_calls(reference)
    _read_validator(reference)


def grade(problems: Sequence[Problem], responses: Sequence[str]) -> list[Grade]:
    """Read each answer's JSON, and compare or validate it."""
    return [_grade(problem.reference, response) for problem, response in zip(problems, responses, strict=True)]


def _grade(reference: Mapping[str, object], response: str) -> Grade:
    check(reference)
    expected, validator = _read_calls(reference), _read_validator(reference)
    answer = final_part(response)
    if len(answer) > _MAX_CHARACTERS:
        return Grade(0.0, {"reason": f"longer than {_MAX_CHARACTERS} characters"})
    try:
        if expected is None:
            assert validator is not None
            handing = _read_handing(reference)
            return _fits(validator, [_handed(answer, handing) if handing else _parse(_only_document(answer))])
        found = _calls_of(answer) if expected or _looks_like_calls(answer) else []
    except _UnreadableError as error:
        return Grade(0.0, {"reason": str(error)})
    grade = _compare(expected, found, in_order=reference.get("order") == "given")
    return _fits(validator, [call.arguments for call in found]) if validator and grade.value else grade


def _read_calls(reference: Mapping[str, object]) -> list[_Call] | None:
    calls = reference.get("calls")
    if calls is None:
        return None
    if not isinstance(calls, list):
        raise ValueError(f"calls is {shown(calls)}, expected a list of calls, each with a name and arguments")
    try:
        return [_call_of(call) for call in calls]
    except _UnreadableError as error:
        raise ValueError(
            f"calls has {error}: {shown(calls)}, expected a name and an object of arguments each"
        ) from error


def _read_handing(reference: Mapping[str, object]) -> Mapping[str, object] | None:
    """Read `call`: a tool's name and the argument that is the document, either of them left out or null."""
    call = reference.get("call")
    if call is None:
        return None
    names = [call.get(name) for name in ("name", "payload")] if isinstance(call, Mapping) else [0]
    if not isinstance(call, Mapping) or not all(name is None or isinstance(name, str) for name in names):
        raise ValueError(f"call is {shown(call)}, expected an object with the texts name and payload, or less")
    return call


def _handed(answer: str, handing: Mapping[str, object]) -> object:
    """Take the document out of the answer's one call."""
    found = _calls_of(answer)
    if len(found) != 1:
        raise _UnreadableError(f"{len(found)} calls, expected 1")
    name, payload = handing.get("name"), handing.get("payload")
    if name and found[0].name != name:
        raise _UnreadableError(f"a call of another tool than {name}")
    if payload and str(payload) not in found[0].arguments:
        raise _UnreadableError(f"a call without the argument {payload}")
    return found[0].arguments[str(payload)] if payload else found[0].arguments


def _read_validator(reference: Mapping[str, object]) -> Validator | None:
    schema = reference.get("schema")
    if schema is None:
        return None
    return _validator(schema if isinstance(schema, str) else json.dumps(schema))


@lru_cache(maxsize=256)  # a group's answers share the schema
def _validator(text: str) -> Validator:
    try:
        schema = _parse(text)
    except _UnreadableError as error:
        raise ValueError(f"schema is {shown(text)}, expected a JSON Schema; it is {error}") from error
    if not isinstance(schema, dict):
        raise ValueError(f"schema is {shown(schema)}, expected a JSON Schema as an object")
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"schema is no JSON Schema at '{error.json_path}': {error.message}") from error
    whole = Resource.from_contents(schema, default_specification=DRAFT202012)
    _refuse_unusable(schema, Registry().resolver_with_root(whole).lookup)
    return kind(schema, registry=Registry())  # an empty registry: nothing is ever fetched


def _refuse_unusable(schema: object, lookup: Callable[[str], object]) -> None:
    """Raise ValueError for a reference that leads out of the schema or nowhere in it, and for a pattern that is none."""
    if isinstance(schema, Mapping):
        target, pattern = schema.get("$ref", "#"), schema.get("pattern", "")
        if isinstance(target, str) and not _leads_inside(target, lookup):
            raise ValueError(f"schema refers to {shown(target)}, expected references within it, such as '#/$defs/x'")
        if isinstance(pattern, str) and not _is_pattern(pattern):
            raise ValueError(f"schema has the pattern {shown(pattern)}, expected a regular expression")
    for part in schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ():
        _refuse_unusable(part, lookup)


def _leads_inside(target: str, lookup: Callable[[str], object]) -> bool:
    try:
        lookup(target)
    except Unresolvable:
        return False
    return target.startswith("#")


def _is_pattern(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


class _UnreadableError(ValueError):
    """An answer that holds no JSON, or no calls; says so in a few words."""


def _parse(text: str) -> object:
    """Parse JSON as it is defined: no key twice, no NaN."""
    try:
        parsed: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except _UnreadableError:
        raise
    except (ValueError, RecursionError) as error:  # ValueError: also a number of more digits than Python reads
        raise _UnreadableError("not JSON") from error
    if _is_deep(parsed):
        raise _UnreadableError(f"JSON more than {_MAX_DEPTH} deep")
    return parsed


def _is_deep(value: object) -> bool:
    """Tell whether anything is nested too deep for what goes through it by calling itself."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
    return bool(level)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _UnreadableError("JSON with a key that stands twice")
    return found


def _no_constant(name: str) -> object:
    raise _UnreadableError(f"not JSON: {name}")


def _only_document(answer: str) -> str:
    """Take the one fenced document, or the whole answer; two fences could hold two answers."""
    fenced = _FENCE.findall(answer)
    if len(fenced) > 1:
        raise _UnreadableError("more than one fenced block")
    return str(fenced[0]) if fenced else answer


def _looks_like_calls(answer: str) -> bool:
    """Tell whether the answer calls at all, where no call is expected and prose is right."""
    if f"<{_TAG}>" in answer:
        return True
    try:
        _calls_of(answer)
    except _UnreadableError:
        return False
    return True


def _calls_of(answer: str) -> list[_Call]:
    """Read all calls: each in its tags, else one or a list of them in a fence or bare."""
    if f"<{_TAG}>" in answer or f"</{_TAG}>" in answer:
        return [_call_of(_parse(text)) for text in _tagged(answer)]
    document = _parse(_only_document(answer))
    if isinstance(document, dict) and isinstance(document.get("tool_calls"), list):
        document = document["tool_calls"]
    return [_call_of(item) for item in (document if isinstance(document, list) else [document])]


def _tagged(answer: str) -> list[str]:
    """List what stands between the tags; each has to be closed before the next opens."""
    before, *parts = answer.split(f"<{_TAG}>")
    if f"</{_TAG}>" in before or any(part.count(f"</{_TAG}>") != 1 for part in parts):
        raise _UnreadableError("tags that do not match")
    return [part.split(f"</{_TAG}>")[0] for part in parts]


def _call_of(value: object) -> _Call:
    """Read {"name", "arguments"}, arguments as an object or as a text of one; also inside {"function": ...}."""
    if isinstance(value, Mapping) and isinstance(value.get("function"), Mapping):
        value = value["function"]
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise _UnreadableError("a call without a name")
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = _parse(arguments)
    if not isinstance(arguments, Mapping):
        raise _UnreadableError("a call whose arguments are no object")
    return _Call(str(value["name"]), arguments)


def _compare(expected: list[_Call], found: list[_Call], *, in_order: bool) -> Grade:
    parts: dict[str, float | str] = {"calls": float(len(found) == len(expected))}
    if len(found) != len(expected):
        return Grade(0.0, {**parts, "reason": f"{len(found)} calls, expected {len(expected)}"})
    names = [call.name for call in found], [call.name for call in expected]
    parts["names"] = float(names[0] == names[1] if in_order else sorted(names[0]) == sorted(names[1]))
    keys = [_key(call) for call in found], [_key(call) for call in expected]
    right = keys[0] == keys[1] if in_order else sorted(keys[0]) == sorted(keys[1])
    if parts["names"]:
        parts["arguments"] = float(right)
    return Grade(float(right), parts)


def _key(call: _Call) -> str:
    return json.dumps([call.name, _plain(call.arguments)], sort_keys=True)


def _plain(value: object) -> object:
    """Write a whole float as the integer that it equals, all the way down."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _fits(validator: Validator, documents: Sequence[object]) -> Grade:
    """Validate, and name the first fault by its place."""
    try:
        faults = [fault for document in documents for fault in validator.iter_errors(document)]
    except (RecursionError, ArithmeticError):  # a schema that refers to itself; a number beyond all floats
        return Grade(0.0, {"schema": 0.0, "reason": "deeper or larger than can be validated"})
    if not faults:
        return Grade(1.0, {"schema": 1.0})
    return Grade(0.0, {"schema": 0.0, "reason": f"at {faults[0].json_path}: {shown(faults[0].message)[1:-1]}"})

"""Recipes as text: YAML in and out without loss, and errors in words a person can act on.

Of YAML, a recipe uses plain values, lists and mappings. Numbers and booleans are read as YAML 1.2 has it, so `5e-4` is a
number and `on` a word. Anchors, aliases, tags and repeated keys are refused: the first three can hide a bomb or an object,
the last silently drops what a person wrote.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from workers.spec import RecipeSpec, SpecRuleError

_UNION_TAGS = {"sft", "grpo", "mopd", "tiny", "folder", "trained", "judge", "of_domain", "of_task"}
_UNIONS = ("model", "reward_model")  # fields that hold one of several kinds, besides stages
_MAX_TEXT = 200_000
_MAX_DEPTH = 20
_MAX_DIGITS = 100
_STAGE_KINDS = "kind: sft, kind: grpo or kind: mopd"
_MODEL_KINDS = "kind: tiny or kind: folder"
_REWARD_KINDS = "kind: trained, kind: folder or kind: judge"
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field: `path` leads to it from the document's root, `code` is stable.

    `line` is where it stands in the text, counted from 1, where there was a text.
    """

    path: Path
    message: str
    code: str
    line: int | None = None

    @property
    def field(self) -> str:
        """The path as people write it: stages[2].teachers.stem."""
        text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return text.lstrip(".") or "recipe"


class RecipeError(ValueError):
    """A recipe that cannot be carried out; `problems` say where and why."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


def _as_it_is(document: Any) -> Any:
    return document


def load_recipe(text: str, *, pin: Callable[[Any], Any] = _as_it_is) -> RecipeSpec:
    """Read a recipe from YAML; raises RecipeError. `pin` fills in what the document leaves to where it is saved."""
    document, lines = read_document(text)
    try:
        return check_recipe(pin(document))
    except RecipeError as error:
        raise RecipeError([replace(found, line=_line_of(found.path, lines)) for found in error.problems]) from None


def check_recipe(document: object) -> RecipeSpec:
    """Validate a recipe given as plain data; raises RecipeError."""
    if not isinstance(document, dict):
        found = "nothing" if document is None else _kind_of(document)
        raise _whole(f"found {found}, expected a mapping with name, stages and more; start from a preset")
    try:
        return RecipeSpec.model_validate(document)
    except ValidationError as error:
        raise RecipeError([_problem(detail) for detail in error.errors() if not _is_echo(detail)]) from None


def read_document(text: str) -> tuple[Any, dict[Path, int]]:
    """Read YAML as plain data, and the line of every field; raises RecipeError for text that is no document."""
    if len(text) > _MAX_TEXT:
        raise _whole(f"found {len(text):,} characters, expected at most {_MAX_TEXT:,}; shorten the recipe")
    try:
        _refuse_what_recipes_do_not_use(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines: dict[Path, int] = {}
        _note_lines(node, (), lines)
        return loader.construct_document(node), lines
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from None
    except UnicodeEncodeError:
        raise _whole("found half a character (a lone surrogate), expected text in UTF-8; remove it") from None


def dump_recipe(recipe: RecipeSpec) -> str:
    """Write a recipe as YAML, with every setting, so that the text does not depend on today's defaults."""
    document = recipe.model_dump(mode="json")
    document["stages"] = [{"kind": stage["kind"], "name": stage["name"], **stage} for stage in document["stages"]]
    return dump_document(document)


def dump_document(document: object) -> str:
    """Write plain data as YAML in the given order, what holds no further list or mapping on one line."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)


# YAML -----------------------------------------------------------------------------------------------------------

_PLAIN = {  # the core schema of YAML 1.2
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")),
    "float": (
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        list("-+0123456789."),
    ),
}


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, (pattern, first_letters) in _PLAIN.items():
        for letter in first_letters:
            found.setdefault(letter, []).append((f"tag:yaml.org,2002:{name}", pattern))
    return found


class _Loader(yaml.CSafeLoader):
    """The safe loader with YAML 1.2's numbers and booleans, and without repeated keys."""

    yaml_implicit_resolvers = _resolvers()

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise _refusal(key, f"found the key {_shown(shown)}, expected a word; put it in quotes or rename it")
            if key.value in seen:
                raise _refusal(key, f"found the key '{key.value}' twice, expected it once; drop one of the two")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        digits = str(self.construct_scalar(node))
        if len(digits) > _MAX_DIGITS:
            raise _refusal(node, f"found a number of {len(digits)} digits, expected at most {_MAX_DIGITS}; shorten it")
        return int(digits)


class _Dumper(yaml.CSafeDumper):
    """Quotes exactly what _Loader would not read as a word."""

    yaml_implicit_resolvers = _resolvers()


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_decimal)  # 010 is ten


def _refuse_what_recipes_do_not_use(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            name = getattr(event, "anchor", "")
            raise _refusal(event, f"found the alias '*{name}', expected plain values; write the values out")
        if anchor := getattr(event, "anchor", None):
            raise _refusal(event, f"found the anchor '&{anchor}', expected plain values; remove it")
        if tag := getattr(event, "tag", None):
            raise _refusal(event, f"found the tag '{tag}', expected plain values; remove it")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise _refusal(event, f"found values nested more than {_MAX_DEPTH} deep; a recipe nests at most 5 deep")


def _refusal(where: Any, message: str) -> RecipeError:
    line = where.start_mark.line + 1
    return RecipeError([FieldProblem((), f"line {line}: {message}", "not_a_recipe", line)])


def _not_yaml(error: yaml.YAMLError, text: str) -> RecipeError:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "at an unknown place"
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    if mark and re.match(r"\s*\t", "".join(text.splitlines()[mark.line : mark.line + 1])):
        said = "a tab, where YAML indents with spaces"
    message = f"found text that is not YAML ({where}: {said}); check the indentation, colons and quotes there"
    return RecipeError([FieldProblem((), message, "not_a_recipe", mark.line + 1 if mark else None)])


def _note_lines(node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _note_lines(item, (*path, position), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value)
            lines[(*path, name)] = key.start_mark.line + 1
            _note_lines(value, (*path, name), lines)


def _line_of(path: Path, lines: dict[Path, int]) -> int | None:
    """The line of a field; of what contains it where the field itself is missing."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


# Words ----------------------------------------------------------------------------------------------------------


def _whole(message: str) -> RecipeError:
    return RecipeError([FieldProblem((), message, "not_a_recipe")])


def _problem(detail: ErrorDetails) -> FieldProblem:
    path = _path(detail["loc"])
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, SpecRuleError):
        return FieldProblem(path + error.path, str(error), "rule")
    if isinstance(error, ValueError):
        return FieldProblem(path, str(error), "rule")
    if detail["type"].startswith("union_tag"):
        path = (*path, "kind")
    return FieldProblem(path, _words(detail), detail["type"])


def _is_echo(detail: ErrorDetails) -> bool:
    """A list is also reported as too short where its items are wrong; the items' own problems say it all."""
    return detail["type"] == "too_short" and len(detail["input"]) > 0


def _path(loc: tuple[str | int, ...]) -> Path:
    """Drop what pydantic adds for a union: stages.2.grpo.steps is stages.2.steps."""
    before = ("", *loc)
    return tuple(
        part
        for part, previous in zip(loc, before[:-1], strict=True)
        if not (part in _UNION_TAGS and (isinstance(previous, int) or previous in _UNIONS))
    )


_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of ordinary size",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "dict_type": "a mapping such as {stem: 1, tools: 0.5}",
    "tuple_type": "a list, each item after a '-'",
    "list_type": "a list, each item after a '-'",
    "model_type": "a mapping of settings",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_SIZES = {
    "string_too_short": ("at least", "min_length", "characters"),
    "string_too_long": ("at most", "max_length", "characters"),
    "too_short": ("at least", "min_length", "items"),
    "too_long": ("at most", "max_length", "items"),
}


def _words(detail: ErrorDetails) -> str:
    """Say what was found, what was expected and what to do, for pydantic's own errors."""
    found, kind, context = _shown(detail["input"]), detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "found nothing, expected a value; add this field"
    if kind == "extra_forbidden":
        return f"found a field that does not exist (value {found}); remove it or correct its spelling"
    kinds = {"model": _MODEL_KINDS, "reward_model": _REWARD_KINDS}.get(str(detail["loc"][-1]), _STAGE_KINDS)
    if kind == "union_tag_not_found":
        return f"found no kind, expected one; add {kinds}"
    if kind == "union_tag_invalid":
        return f"found kind {_shown(context['tag'])}, expected one of: {context['expected_tags']}; change it"
    if kind == "model_attributes_type":
        return f"found {found}, expected a mapping of settings with its kind; write one with {kinds}"
    if kind in _LIMITS:
        word, key = _LIMITS[kind]
        return f"found {found}, expected {word} {context[key]}; change the value"
    if kind in _SIZES:
        word, key, unit = _SIZES[kind]
        remedy = "shorten it" if word == "at most" else "add to it"
        return f"found {len(detail['input'])} {unit}, expected {word} {context[key]}; {remedy}"
    if kind == "literal_error":
        return f"found {found}, expected {context['expected']}; pick one of these"
    if kind == "string_pattern_mismatch":
        return f"found {found}, expected a lower-case letter, then up to 39 lower-case letters, digits, '-' or '_'; rename it"
    expected = _EXPECTED.get(kind) or detail["msg"].removeprefix("Input should be ")
    return f"found {found}, expected {expected}; change the value"


def _shown(value: object) -> str:
    """A value as a person wrote it, in at most 60 characters; never expands what is large."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a number of more than 18 digits"
    if isinstance(value, int | float | str):
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "..."
    return _kind_of(value)


def _kind_of(value: object) -> str:
    names = {list: "a list", tuple: "a list", dict: "a mapping", str: "text", bool: "true or false"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}")

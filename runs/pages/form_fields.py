"""Form fields made from the specs: what a page needs to show one setting, and how its text is read back.

Text that is no number stays text, so that nothing a person typed is lost and the spec says what is wrong with it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workers.recipe_text import FieldProblem

Kind = Literal["number", "text", "area", "choice", "flag"]
_LONG_TEXT = 200  # characters from which a text gets several lines
_WRITTEN = {"Adamw": "AdamW", "Cpu ": "CPU ", "Kl ": "KL ", "Mlp": "MLP", "Top p": "Top-p"}
_ON_OFF_OR_NOT_SAID = (("", "not said"), ("on", "on"), ("off", "off"))
_LONGEST_NUMBER = 40  # characters; more is kept as text, which the spec refuses


@dataclass(frozen=True)
class FormField:
    """One control: `name` is the path to its value, as stages.2.steps."""

    name: str
    label: str
    kind: Kind
    value: str
    choices: tuple[tuple[str, str], ...] = ()
    about: str = ""
    hint: str = ""
    error: str = ""
    is_essential: bool = False

    @property
    def id(self) -> str:
        return control_id(self.name)


class Problems:
    """What is wrong with a document, to be taken by the fields it belongs to; what is left has no field of its own."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        self.all = problems
        self.ids: dict[FieldProblem, str] = {}

    def at(self, name: str) -> str:
        """Take what is wrong with one field, in words."""
        return self._take(name, lambda path: path == name)

    def within(self, name: str) -> str:
        """Take what is wrong with a field or with anything inside it that no other field has taken."""
        return self._take(name, lambda path: path == name or path.startswith(f"{name}."))

    def _take(self, name: str, belongs: Any) -> str:
        found = [problem for problem in self.all if problem not in self.ids and belongs(_dotted(problem))]
        self.ids |= dict.fromkeys(found, control_id(name))
        return " ".join(problem.message for problem in found)

    @property
    def summary(self) -> list[tuple[str, FieldProblem]]:
        """Every problem with the id of the control to mend it at; '' where there is none."""
        return [(self.ids.get(problem, ""), problem) for problem in self.all]

    @property
    def homeless(self) -> list[FieldProblem]:
        return [problem for problem in self.all if problem not in self.ids]


def control_id(name: str) -> str:
    """The id of a control in the page, from its name."""
    return "f-" + name.replace(".", "-")


def fields_of(
    spec: type[BaseModel], values: Mapping[str, Any], prefix: str, problems: Problems, **choices: list[tuple[str, str]]
) -> list[FormField]:
    """Make a field for every plain setting of a spec; `choices` replaces a text by a pick from a list."""
    return [
        _form_field(name, info, values, f"{prefix}{name}", problems, choices.get(name))
        for name, info in plain_settings(spec)
    ]


def plain_settings(spec: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The settings of a spec that one control can hold; `kind` and nested documents are drawn by hand."""
    for name, info in spec.model_fields.items():
        if name != "kind" and (_inner_type(info) in (int, float, str, bool) or _options(info)):
            yield name, info


def values_from(spec: type[BaseModel], post: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """Read the plain settings of a spec from a form; what was left empty takes its default."""
    read = {name: read_value(info, post.get(f"{prefix}{name}", "")) for name, info in plain_settings(spec)}
    return {name: value for name, value in read.items() if value is not None}


def read_value(info: FieldInfo, text: str) -> Any:
    """Turn a control's text into the setting's type; None for nothing, and the text itself where it does not fit."""
    kind, text = _inner_type(info), text.replace("\r\n", "\n")
    if kind is bool and _is_optional(info):
        return {"": None, "on": True, "off": False}.get(text, text)
    if kind is bool:
        return text == "on"
    if kind in (int, float):
        return read_number(text, whole=kind is int)
    has_default = _is_optional(info) or (not info.is_required() and info.default)
    return None if not text and has_default else text


def read_number(text: str, *, whole: bool = False) -> int | float | str | None:
    """Read a number as people type it; None for nothing, and the text itself where it is none."""
    text = text.strip()
    if not text:
        return None
    try:
        number = int(text) if whole and len(text) < _LONGEST_NUMBER else float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) and (not whole or isinstance(number, int)) else text


def write_value(value: object, *, is_optional: bool = False) -> str:
    """Write a value as it stands in a control; where none need be given, off is not the same as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off" if is_optional else ""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def label_of(name: str) -> str:
    """A setting's name as words: rollouts_per_prompt is 'Rollouts per prompt'."""
    words = name.replace("_", " ").capitalize()
    for plain, written in _WRITTEN.items():
        words = words.replace(plain, written)
    return words


def _form_field(
    name: str,
    info: FieldInfo,
    values: Mapping[str, Any],
    path: str,
    problems: Problems,
    choices: list[tuple[str, str]] | None,
) -> FormField:
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    value = write_value(values.get(name, default), is_optional=_is_optional(info))
    options = choices or [(option, option.replace("_", " ")) for option in _options(info)]
    if _inner_type(info) is bool and _is_optional(info):
        options = list(_ON_OFF_OR_NOT_SAID)
    if options and value not in [option for option, _ in options]:
        options = [*options, (value, value or "none")]  # what was typed stays, and its error says why it cannot
    return FormField(
        name=path,
        label=label_of(name),
        kind="choice" if options else _control(info),
        value=value,
        choices=tuple(options),
        about=info.description or "",
        hint=hint_of(info),
        error=problems.at(path),
        is_essential=bool(_extra(info).get("essential")),
    )


def hint_of(info: FieldInfo) -> str:
    """Default, unit, range and source of a setting, as one line."""
    extra = _extra(info)
    source = extra.get("source", "").replace("tiny", "our measurement", 1)
    return " · ".join(part for part in (_default_words(info), extra.get("unit"), range_of(info), source) if part)


def range_of(info: FieldInfo) -> str:
    """The allowed values of a number: 0 < x ≤ 1."""
    low = high = step = ""
    for limit in info.metadata:
        match limit:
            case Gt(gt=bound):
                low = f"{_number_words(bound)} < "
            case Ge(ge=bound):
                low = f"{_number_words(bound)} ≤ "
            case Lt(lt=bound):
                high = f" < {_number_words(bound)}"
            case Le(le=bound):
                high = f" ≤ {_number_words(bound)}"
            case MultipleOf(multiple_of=bound):
                step = f", multiple of {_number_words(bound)}"
    return f"{low}x{high}{step}" if low or high else ""


def _default_words(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.get_default(call_default_factory=True)
    if isinstance(default, bool):
        return "default on" if default else "default off"
    if isinstance(default, int | float):
        return f"default {_number_words(default)}"
    return f"default {str(default).replace('_', ' ')}" if default else "optional"


def _number_words(number: Any) -> str:
    is_whole = isinstance(number, int) or (number.is_integer() and number < 1e15)
    return f"{int(number):,}" if is_whole else f"{number:g}"


def _control(info: FieldInfo) -> Kind:
    kind = _inner_type(info)
    if kind is bool:
        return "flag"
    if kind in (int, float):
        return "number"
    longest = max((getattr(limit, "max_length", 0) or 0 for limit in info.metadata), default=0)
    return "area" if longest > _LONG_TEXT else "text"


def _extra(info: FieldInfo) -> dict[str, Any]:
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def _options(info: FieldInfo) -> tuple[str, ...]:
    return get_args(info.annotation) if get_origin(info.annotation) is Literal else ()


def _inner_type(info: FieldInfo) -> Any:
    """The type of a setting, without the None of an optional one."""
    if get_origin(info.annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(info.annotation) if kind is not NoneType]
        return kinds[0] if len(kinds) == 1 else info.annotation
    return info.annotation


def _is_optional(info: FieldInfo) -> bool:
    return NoneType in get_args(info.annotation)


def _dotted(problem: FieldProblem) -> str:
    return ".".join(str(part) for part in problem.path)

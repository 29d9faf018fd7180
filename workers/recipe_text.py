"""Recipes as text: YAML in and out without loss, and errors in words a person can act on."""

from dataclasses import dataclass

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from workers.spec import RecipeSpec, SpecRuleError

_UNION_TAGS = {"sft", "grpo", "mopd", "tiny", "folder"}
_MAX_TEXT = 200_000


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field: `path` leads to it from the document's root, `code` is stable."""

    path: tuple[str | int, ...]
    message: str
    code: str

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


def load_recipe(text: str) -> RecipeSpec:
    """Read a recipe from YAML; raises RecipeError."""
    if len(text) > _MAX_TEXT:
        raise _whole(f"found {len(text):,} characters, expected at most {_MAX_TEXT:,}; shorten the recipe")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _whole(f"found text that is not YAML ({_where(error)}); check the indentation and quotes there") from None
    return check_recipe(document)


def check_recipe(document: object) -> RecipeSpec:
    """Validate a recipe given as plain data; raises RecipeError."""
    if not isinstance(document, dict):
        found = "nothing" if document is None else f"a {type(document).__name__}"
        raise _whole(f"found {found}, expected a mapping with name, stages and more; start from a preset")
    try:
        return RecipeSpec.model_validate(document)
    except ValidationError as error:
        raise RecipeError([_problem(detail) for detail in error.errors()]) from None


def dump_recipe(recipe: RecipeSpec) -> str:
    """Write a recipe as YAML; settings at their default are left out where that changes nothing."""
    return dump_document(recipe.model_dump(mode="json", exclude_defaults=False))


def dump_document(document: dict[str, object]) -> str:
    """Write plain data as YAML in the given order."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _whole(message: str) -> RecipeError:
    return RecipeError([FieldProblem((), message, "not_a_recipe")])


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it cannot be parsed"


def _problem(detail: ErrorDetails) -> FieldProblem:
    path = _path(detail["loc"])
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, SpecRuleError):
        return FieldProblem(path + error.path, str(error), "rule")
    if isinstance(error, ValueError):
        return FieldProblem(path + _own_path(str(error)), str(error), "rule")
    return FieldProblem(path, _words(detail), detail["type"])


def _path(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Drop what pydantic adds for a union: stages.2.grpo.steps is stages.2.steps."""
    kept: list[str | int] = []
    for part in loc:
        follows_union = bool(kept) and (isinstance(kept[-1], int) or kept[-1] == "model")
        if not (follows_union and part in _UNION_TAGS):
            kept.append(part)
    return tuple(kept)


def _own_path(message: str) -> tuple[str, ...]:
    """A rule within one stage names its field first: 'found warmup_steps 9 above ...' belongs to warmup_steps."""
    words = message.split()
    if len(words) > 1 and words[0] == "found" and "_" in words[1]:
        return (words[1],)
    return ()


def _words(detail: ErrorDetails) -> str:
    """Say what was found, what was expected and what to do, for pydantic's own errors."""
    found, kind, context = _shown(detail["input"]), detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "found nothing, expected a value; add this field"
    if kind == "extra_forbidden":
        return f"found a field that does not exist (value {found}); remove it or correct its spelling"
    if kind.startswith("union_tag"):
        return f"found kind {found}, expected one of: {context.get('expected_tags', 'sft, grpo, mopd')}; set 'kind'"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        word, key = {
            "greater_than": ("above", "gt"),
            "greater_than_equal": ("at least", "ge"),
            "less_than": ("below", "lt"),
            "less_than_equal": ("at most", "le"),
        }[kind]
        return f"found {found}, expected {word} {context[key]}; change the value"
    if kind == "literal_error":
        return f"found {found}, expected {context['expected']}; pick one of these"
    if kind == "string_pattern_mismatch":
        return f"found {found}, expected a lower-case letter, then up to 39 letters, digits, '-' or '_'; rename it"
    expected = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"found {found}, expected {expected}; change the value"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

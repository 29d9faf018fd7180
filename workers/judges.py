"""Judges: models behind an OpenAI-compatible address, which grade what no rule can.

The operator declares them in the variable JUDGES, a JSON object by name; a recipe only names one. So no author can send a
server to an address of his choice, and a key stands in the environment of workers and nowhere else: not in a recipe, a
spec, a log or a page. A trainer gets the judges that its spec names, and their keys, and no others.

    JUDGES='{"qwen": {"url": "https://judge.example/v1", "model": "qwen3-235b", "key_variable": "QWEN_KEY"}}'
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError, field_validator

from workers.document import Slug, Spec

VARIABLE = "JUDGES"
_PLAIN_ADDRESS = re.compile(r"^https?://[^/\s@?#]+(/[^\s@?#]*)?$")


class JudgeError(ValueError):
    """A judge that is declared wrongly, is not declared, or has no key here; the message says what to do."""


class JudgeSpec(Spec):
    """One judge, as the operator declares it."""

    url: str  # up to /v1, to which /chat/completions is added
    model: str = Field(min_length=1, max_length=200)
    key_variable: str = Field(
        "", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$"
    )  # which holds the key; empty: it asks for none
    temperature: float = Field(0.0, ge=0, le=2)
    max_tokens: int = Field(2048, ge=16, le=1_000_000)  # of one verdict, its thinking included
    timeout_s: float = Field(120.0, gt=0, le=3600)  # for one verdict
    concurrency: int = Field(16, ge=1, le=1024)  # requests at once, of each process
    retries: int = Field(10, ge=0, le=100)  # of one request, with growing pauses of up to 8 s: a minute in all

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        if not _PLAIN_ADDRESS.match(url):
            raise ValueError(
                "expected an address such as https://judge.example/v1, without a password, '?' or '#'; a key goes into the "
                "variable that key_variable names"
            )
        return url.rstrip("/")


_DECLARED = TypeAdapter(dict[Slug, JudgeSpec])


def declared_judges(environment: Mapping[str, str]) -> dict[str, JudgeSpec]:
    """Read the judges that an environment declares; raises JudgeError."""
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return {}
    try:
        return _DECLARED.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]  # what was given may hold what should not be shown
        place = ".".join(str(part) for part in first["loc"]) or "it"
        raise JudgeError(
            f"found {VARIABLE} that cannot be read ({place}: {first['msg']}), expected a JSON object such as "
            '{"qwen": {"url": "https://judge.example/v1", "model": "qwen3-235b", "key_variable": "QWEN_KEY"}}'
        ) from None


def named_judges(spec: Mapping[str, Any]) -> list[str]:
    """List the judges that a spec.json names: the recipe's, and that of a stage's rewards."""
    stage = spec.get("stage")
    reward = stage.get("reward_model") if isinstance(stage, Mapping) else None
    named = [spec.get("judge"), reward.get("judge") if isinstance(reward, Mapping) else None]
    return list(dict.fromkeys(name for name in named if isinstance(name, str)))


def environment_for(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Give what a trainer needs to ask these judges: their declarations and keys; raises JudgeError for one that cannot be had."""
    declared, found, kept = declared_judges(environment), {}, {}
    for name in names:
        found[name] = judge = _one_of(declared, name)
        if judge.key_variable:
            kept[judge.key_variable] = read_key(name, judge, environment)
    if not found:
        return {}
    return {**kept, VARIABLE: json.dumps({name: judge.model_dump() for name, judge in found.items()})}


def read_key(name: str, judge: JudgeSpec, environment: Mapping[str, str]) -> str:
    """Read a judge's key; raises JudgeError where there is none. Empty for a judge that asks for none."""
    if not judge.key_variable:
        return ""
    key = environment.get(judge.key_variable, "").strip()
    if not key:
        raise JudgeError(
            f"found no variable {judge.key_variable}, expected the key of judge '{name}' in it; set it where the workers run"
        )
    return key


def secret_variables(environment: Mapping[str, str]) -> set[str]:
    """Name the variables that only a process which asks a judge may have."""
    try:
        declared = declared_judges(environment)
    except JudgeError:
        declared = {}
    return {VARIABLE} | {judge.key_variable for judge in declared.values() if judge.key_variable}


def undeclared(name: str, declared: Iterable[str]) -> str:
    """Say that a judge is not among those declared."""
    known = ", ".join(sorted(declared))
    expected = (
        f"expected one of: {known}" if known else f"and this server declares none; its operator adds one to {VARIABLE}"
    )
    return f"found judge '{name}', {expected}"


def _one_of(declared: Mapping[str, JudgeSpec], name: str) -> JudgeSpec:
    if name not in declared:
        raise JudgeError(undeclared(name, declared))
    return declared[name]

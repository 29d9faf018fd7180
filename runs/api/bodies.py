"""Request bodies and YAML answers: what is read is bounded, and what cannot be read is the sender's error, not ours."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from workers.recipe_text import dump_document

MAX_BYTES = 1_000_000
_HALF = re.compile("[\ud800-\udfff]")


class BodyTooLarge(APIException):  # DRF's own errors have no suffix either
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"found more than {MAX_BYTES:,} bytes; send less"
    default_code = "too_large"


class JSONBody(BaseParser):
    """JSON as RFC 8259 has it: UTF-8, and no NaN."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        text = _read(stream)
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
            if "\\u" in text:
                _refuse_half_characters(data)
            return data
        except (ValueError, RecursionError) as error:
            raise ParseError(f"found text that is not JSON ({error}); correct it there") from None


@dataclass(frozen=True)
class RecipeText:
    """A recipe as YAML; only its project knows what it leaves open, so that it is checked there."""

    text: str


class YAMLBody(BaseParser):
    """A recipe as YAML."""

    media_type = "application/yaml"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return RecipeText(_read(stream))


class YAMLAnswer(BaseRenderer):
    media_type = "application/yaml"
    format = "yaml"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return dump_document(data).encode()


class Input(serializers.Serializer[Any]):
    """A small body; a field it does not know is refused rather than dropped."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            words = "found a field that does not exist; remove it or correct its spelling"
            raise ValidationError({name: ErrorDetail(words, "extra_forbidden") for name in sorted(unknown)})
        return super().to_internal_value(data)


class NoInput(Input):
    """The body of an action: nothing, or {}."""


def _read(stream: IO[Any]) -> str:
    data: bytes = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BodyTooLarge
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ParseError(f"found bytes that are not UTF-8 ({error.reason} at {error.start}); send UTF-8") from None


def _refuse_half_characters(data: Any) -> None:
    """JSON's escapes can name half a character (a lone surrogate), which nothing after this can store or even show."""
    path = next(_half_characters(data, ()), None)
    if path is None:
        return
    words = "found half a character (a lone surrogate), expected whole ones; remove it"
    detail: Any = {"non_field_errors": [ErrorDetail(words, "half_character")]}
    for part in reversed(path):
        detail = {part: detail}
    raise ValidationError(detail)


def _half_characters(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield where half a character stands; for one in a key, where the mapping is."""
    if isinstance(data, str) and _HALF.search(data):
        yield path
    elif isinstance(data, dict):
        for key, inner in data.items():
            yield from [path] if _HALF.search(key) else _half_characters(inner, (*path, key))
    elif isinstance(data, list):
        for position, inner in enumerate(data):
            yield from _half_characters(inner, (*path, position))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")

"""What the forms of rows share: the raw row they are given, and what they make of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.data_dir import Message

Raw = Mapping[str, Any]
ROLES = ("system", "developer", "user", "assistant", "tool")


class BadRowError(ValueError):
    """A row that cannot be used, in words: what was found, and what was expected."""


@dataclass(frozen=True)
class Row:
    """What a row asks and how an answer is judged; `grader` is empty where the row does not name one."""

    messages: list[Message]
    grader: str
    reference: dict[str, Any]
    tools: list[dict[str, Any]] = field(default_factory=list)
    response: str = ""


def read_messages(value: object, name: str) -> list[Message]:
    """Read a conversation: a text, or a list of {role, content}; raises BadRowError for anything else."""
    if isinstance(value, str) and value.strip():
        return [Message(role="user", content=value)]
    if not isinstance(value, list) or not value:
        raise BadRowError(f"found {name} {shown(value)}, expected a text or a list of messages")
    messages = [_message(item, f"{name}.{number}") for number, item in enumerate(value)]
    if messages[-1].role == "assistant":
        raise BadRowError(
            f"found {name} that end with the assistant's own answer, expected them to end with a question"
        )
    return messages


def shown(value: object) -> str:
    """Show a value found, shortened: it may be a whole document."""
    text = "none" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _message(item: object, name: str) -> Message:
    if not isinstance(item, Mapping):
        raise BadRowError(f"found {name} {shown(item)}, expected an object with role and content")
    role, content = item.get("role"), _text_of(item.get("content"))
    if role not in ROLES:
        raise BadRowError(f"found {name}.role {shown(role)}, expected one of: {', '.join(ROLES)}")
    if content is None:
        raise BadRowError(f"found {name}.content {shown(item.get('content'))}, expected a text")
    return Message(role=role, content=content)


def _text_of(content: object) -> str | None:
    """Read a text, or the texts of a list of parts as the Responses API writes them."""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if texts and len(texts) == len(parts) else None
    return content if isinstance(content, str) else None


def as_text(answer: object) -> object:
    """Write a number as the text that a grader reads."""
    return str(answer) if isinstance(answer, int | float) and not isinstance(answer, bool) else answer

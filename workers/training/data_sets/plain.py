"""Rows as a team writes them by hand.

    {"prompt": "What is 2 + 2?", "answer": "4", "verifier": "maths"}
    {"messages": [{"role": "user", "content": "..."}], "reference": {...}, "verifier": "programs", "response": "..."}

`answer` is short for `reference: {"answer": ...}`; docs/graders.md says what the reference of each grader holds.
`response`, a right answer as the model should write it, makes a row fit for SFT; a conversation that ends with the
assistant's answer is read as such a row.
"""

from collections.abc import Mapping
from typing import Any

from workers.training.data_sets.row import BadRowError, Raw, Row, read_messages, shown


def convert(raw: Raw) -> Row:
    """Read a plain row; raises BadRowError."""
    conversation, response = _without_answer(raw.get("messages", raw.get("prompt")), raw.get("response"))
    if conversation is None:
        raise BadRowError("found neither prompt nor messages, expected one of them")
    if response is not None and not isinstance(response, str):
        raise BadRowError(f"found response {shown(response)}, expected a text")
    grader = raw.get("verifier", raw.get("grader", ""))
    if not isinstance(grader, str):
        raise BadRowError(f"found verifier {shown(grader)}, expected a grader's name")
    name = "messages" if "messages" in raw else "prompt"
    return Row(read_messages(conversation, name), grader, _reference(raw), _tools(raw.get("tools")), response or "")


def _without_answer(conversation: Any, response: Any) -> tuple[Any, Any]:
    """Take the assistant's last turn for the answer to learn from."""
    is_answered = isinstance(conversation, list) and len(conversation) > 1
    if not is_answered or not isinstance(conversation[-1], Mapping) or conversation[-1].get("role") != "assistant":
        return conversation, response
    return conversation[:-1], response if response is not None else conversation[-1].get("content")


def _reference(raw: Raw) -> dict[str, Any]:
    reference = raw.get("reference")
    if reference is None:
        return {"answer": raw["answer"]} if raw.get("answer") is not None else {}
    if not isinstance(reference, Mapping):
        raise BadRowError(f"found reference {shown(reference)}, expected an object")
    return dict(reference)


def _tools(value: object) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(tool, Mapping) for tool in value):
        raise BadRowError(f"found tools {shown(value)}, expected a list of objects")
    return [dict(tool) for tool in value]

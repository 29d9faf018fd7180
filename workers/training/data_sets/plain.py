"""Rows as a team writes them by hand.

    {"prompt": "What is 2 + 2?", "answer": "4", "verifier": "maths"}
    {"messages": [{"role": "user", "content": "..."}], "reference": {...}, "verifier": "programs", "response": "..."}
    {"prompt": "Plan a day in Rome.", "chosen": "Start at the Forum ...", "rejected": "Rome is a city."}

`answer` is short for `reference: {"answer": ...}`; docs/graders.md says what the reference of each grader holds.
`response`, a right answer as the model should write it, makes a row fit for SFT; a conversation that ends with the
assistant's answer is read as such a row. `chosen` and `rejected`, a better and a worse answer, make a row of `preference`;
the chosen one is also a response. Each may be a conversation that ends with the answer, as many published pairs are.
"""

from collections.abc import Mapping
from typing import Any

from workers.training.data_sets.row import BadRowError, Raw, Row, as_text, read_messages, shown


def convert(raw: Raw) -> Row:
    """Read a plain row; raises BadRowError."""
    if not raw.keys().isdisjoint(("chosen", "rejected", "baseline")):
        raw = _with_pair(raw)
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


def _with_pair(raw: Raw) -> Raw:
    """Write a pair as a row of the grader `preference`, whose response is the better answer."""
    chosen, rejected = (_answer_of(raw, name) for name in ("chosen", "rejected"))
    asked = raw.get("messages", raw.get("prompt"))
    if asked is None and isinstance(raw.get("chosen"), list):
        asked = raw["chosen"][:-1]
    pair = {name: text for name, text in (("chosen", chosen), ("rejected", rejected)) if text is not None}
    given = raw.get("reference")
    if given is not None and not isinstance(given, Mapping):
        raise BadRowError(f"found reference {shown(given)}, expected an object")
    other = {"baseline": raw["baseline"]} if raw.get("baseline") is not None else {}
    kept = {key: value for key, value in raw.items() if key not in ("prompt", "messages", "answer")}
    return {
        **kept,
        "messages": asked,
        "reference": {**(given or {}), **other, **pair},
        "response": raw.get("response", chosen),
        "verifier": raw.get("verifier", raw.get("grader", "preference")),
    }


def _answer_of(raw: Raw, name: str) -> str | None:
    """Read the better or the worse answer: a text, or the end of a conversation."""
    value = raw.get(name)
    if isinstance(value, list) and value and isinstance(value[-1], Mapping) and value[-1].get("role") == "assistant":
        value = value[-1].get("content")
    if value is not None and not isinstance(value, str):
        raise BadRowError(f"found {name} {shown(value)}, expected a text, or a conversation that ends with the answer")
    return value


def _without_answer(conversation: Any, response: Any) -> tuple[Any, Any]:
    """Take the assistant's last turn for the answer to learn from."""
    is_answered = isinstance(conversation, list) and len(conversation) > 1
    if not is_answered or not isinstance(conversation[-1], Mapping) or conversation[-1].get("role") != "assistant":
        return conversation, response
    return conversation[:-1], response if response is not None else conversation[-1].get("content")


def _reference(raw: Raw) -> dict[str, Any]:
    reference = raw.get("reference")
    if reference is None:
        return {"answer": as_text(raw["answer"])} if raw.get("answer") is not None else {}
    if not isinstance(reference, Mapping):
        raise BadRowError(f"found reference {shown(reference)}, expected an object")
    return dict(reference)


def _tools(value: object) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(tool, Mapping) for tool in value):
        raise BadRowError(f"found tools {shown(value)}, expected a list of objects")
    return [dict(tool) for tool in value]

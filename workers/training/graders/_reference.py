"""What the graders share in reading a row's reference, and an answer that thought first."""

import re
from collections.abc import Mapping

_THOUGHT = re.compile(r"^.*</think>", re.DOTALL)


def read_text(reference: Mapping[str, object], name: str) -> str:
    """Read a text that is not empty; raises ValueError if the row has none."""
    value = reference.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is {shown(value)}, expected a text; give the row one")
    return value


def read_word(reference: Mapping[str, object], name: str, words: tuple[str, ...]) -> str:
    """Read one of some words, the first where the row has none; raises ValueError for another."""
    value = reference.get(name, words[0])
    if value not in words:
        raise ValueError(f"{name} is {shown(value)}, expected one of: {', '.join(words)}")
    return str(value)


def read_answers(reference: Mapping[str, object]) -> list[str]:
    """Read `answers`, or `answer` alone: the texts that are right; raises ValueError if there is none."""
    if "answers" not in reference:
        return [read_text(reference, "answer")]
    value = reference["answers"]
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text.strip() for text in value):
        raise ValueError(f"answers is {shown(value)}, expected a list of at least one text, none of them empty")
    return list(value)


def final_part(response: str) -> str:
    """Take what follows the thinking; nothing, where the thinking never ended."""
    answer = _THOUGHT.sub("", response, count=1)
    return "" if "<think>" in answer else answer.strip()


def shown(value: object) -> str:
    """Show a value found, shortened: it may be a whole document."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

"""What a constraint is: a rule on a text, and the keyword arguments that a row must give it.

A kind reads one argument's value or raises ValueError with what it expects. Rows carry 5.0 for 5, and ["word"] for "word".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Kind = Callable[[object], object]


@dataclass(frozen=True)
class Constraint:
    """A rule; `holds` takes the text and the arguments named in `kwargs`."""

    holds: Callable[..., bool]
    kwargs: Mapping[str, Kind] = field(default_factory=dict)


def text(value: object) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value.strip()


def texts(value: object) -> list[str]:
    if not isinstance(value, list) or not value:
        raise ValueError("a list of at least one text")
    return [text(item) for item in value]


def letter(value: object) -> str:
    if not isinstance(value, str) or len(value.strip()) != 1:
        raise ValueError("one letter")
    return value.strip().lower()


def count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
        raise ValueError("a whole number of 0 or more")
    return int(value)


def position(value: object) -> int:
    if count(value) < 1:
        raise ValueError("a whole number of 1 or more")
    return count(value)


def percentage(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise ValueError("a number from 0 to 100")
    return float(value)


def relation(value: object) -> str:
    if value not in ("at least", "less than"):
        raise ValueError("'at least' or 'less than'")
    return str(value)


def compare(found: int, relation: str, bound: int) -> bool:
    return found >= bound if relation == "at least" else found < bound

"""What changed from one version of a recipe to the next: stages are matched by name, then compared setting by setting."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runs.pages.form_fields import write_value
from runs.recipe_settings import Key, flat_settings, settings_of


@dataclass(frozen=True)
class Change:
    """One setting that differs; None where a version does not have it."""

    where: str
    setting: str
    before: str | None
    after: str | None


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """List what differs between two recipe documents, in the order of the newer one."""
    old, new = _in_words(settings_of(before)), _in_words(settings_of(after))
    found = [_order_change(before, after)]
    for where, setting in dict.fromkeys([*new, *old]):
        was, now = old.get((where, setting)), new.get((where, setting))
        if was != now and not _is_part_of_whole(where, setting, old, new):
            found.append(Change(where, setting, was, now))
    return [change for change in found if change is not None]


def stage_changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """List the settings that differ between two stages' documents, but for their names."""
    old, new = (_in_words(flat_settings("", {**document, "name": ""})) for document in (before, after))
    return [
        Change(where, setting, old.get((where, setting)), new.get((where, setting)))
        for where, setting in dict.fromkeys([*new, *old])
        if old.get((where, setting)) != new.get((where, setting))
    ]


def _is_part_of_whole(where: str, setting: str, old: dict[Any, Any], new: dict[Any, Any]) -> bool:
    """A stage or benchmark that only one version has is one line, and its summary no line where both have it."""
    whole = (where, "")
    if whole not in old and whole not in new:
        return False
    in_both = whole in old and whole in new
    return in_both if setting == "" else not in_both


def _order_change(before: dict[str, Any], after: dict[str, Any]) -> Change | None:
    old, new = ([stage["name"] for stage in document["stages"]] for document in (before, after))
    kept_old, kept_new = [name for name in old if name in new], [name for name in new if name in old]
    return Change("recipe", "order of stages", ", ".join(old), ", ".join(new)) if kept_old != kept_new else None


def _in_words(settings: Iterable[tuple[Key, Any]]) -> dict[Key, str]:
    return {key: value_in_words(value) for key, value in settings}


def value_in_words(value: Any) -> str:
    """Write a setting's value for a reader: on, off and none are words of their own."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else write_value(value)

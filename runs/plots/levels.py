"""Levels across a panel: a line at one score, with its name at one end."""

from collections.abc import Mapping
from dataclasses import dataclass

from runs.plots.theme import Part, Tokens

APART = 7.5  # points between the names of two lines: what a line of 10 px takes of a panel


@dataclass(frozen=True)
class Level:
    """A score to hold a curve against."""

    name: str
    at: float
    colour: str
    dash: str
    side: str  # where its name stands, so that two levels do not write over each other


def level_line(level: Level) -> Part:
    place: Part = {"xref": "x domain", "yref": "y", "x0": 0, "x1": 1, "y0": level.at, "y1": level.at}
    return {"type": "line", **place, "line": {"color": level.colour, "width": 1, "dash": level.dash}, "layer": "below"}


def level_name(level: Level) -> Part:
    place: Part = {
        "xref": "x domain",
        "yref": "y",
        "x": 0 if level.side == "left" else 1,
        "y": level.at,
    }
    return {
        "text": level.name,
        **place,
        "xshift": 4 if level.side == "left" else -4,  # clear of the axis's numbers
        "xanchor": level.side,
        "yanchor": "bottom",
        "font": {"size": 10, "color": level.colour},
    }


def published_levels(domain: str, published: Mapping[str, Mapping[str, float]], tokens: Tokens) -> list[Level]:
    """List what was published of other models, the highest first: dash-dotted and muted, since nobody here measured it."""
    found = [(name, round(100 * scores[domain], 2)) for name, scores in published.items() if domain in scores]
    return [Level(name, at, tokens.muted, "dashdot", "right") for name, at in sorted(found, key=lambda each: -each[1])]


def published_names(levels: list[Level]) -> list[Part]:
    """Name published levels above their lines; lines too close for a name each share one, so that names cover no points."""
    groups: list[list[Level]] = []
    for level in levels:
        if groups and groups[-1][-1].at - level.at < APART:
            groups[-1].append(level)
        else:
            groups.append([level])
    return [_shared_name(group) for group in groups]


def _shared_name(group: list[Level]) -> Part:
    each = [f"{level.name} {level.at:.1f}" for level in group]
    if len(group) > 2:
        words = f"{len(group)} models, {group[-1].at:.1f} to {group[0].at:.1f}"
    else:
        words = ", ".join(level.name for level in group) if len(group) > 1 else each[0]
    about = f"published: {', '.join(each)}; not measured here"
    return {**level_name(group[0]), "text": f"published: {words}", "hovertext": about}

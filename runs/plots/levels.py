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
    return [
        Level(f"published: {name} {at:.1f}", at, tokens.muted, "dashdot", "right")
        for name, at in sorted(found, key=lambda level: -level[1])
    ]


def published_names(levels: list[Level]) -> list[Part]:
    """Name published levels, each below the one before where their lines are too close."""
    names, last = [], 200.0
    for level in levels:
        last = min(level.at, last - APART)
        names.append({**level_name(level), "y": round(last, 2), "hovertext": f"{level.name}, not measured here"})
    return names

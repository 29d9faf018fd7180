"""Curves of training: reward, response length, loss, reverse KL. The raw line is faint, a smoothed one lies over it."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from runs.plots.theme import TOKENS, Part, Theme, Tokens, domain_colour, faint, make_figure, quiet_axis
from workers.catalogue import DOMAINS

Series = tuple[Sequence[int], Sequence[float]]  # steps, values
MAX_POINTS = 600  # per line; more are thinned to the extremes of each stretch, so that spikes stay
SMOOTHING = 0.8
HEIGHT = 220  # pixels


def training_curve(
    series: Mapping[str, Series],
    title: str,
    unit: str = "",
    *,
    smoothing: float = SMOOTHING,
    resumes: Sequence[int] = (),
    theme: Theme = "light",
) -> go.Figure:
    """Draw one line, or a few to compare.

    smoothing: weight of the past in the running mean, 0 (none) to below 1. resumes: steps a resumed trainer went on from.
    """
    tokens = TOKENS[theme]
    lines = [_lines(name, *line, _hue(name, at, tokens), smoothing) for at, (name, line) in enumerate(series.items())]
    step = {"text": "step", "font": {"size": 11, "color": tokens.muted}} if len(series) == 1 else None
    layout = {
        "margin": {"t": 34, "b": 34 if len(series) == 1 else 52, "l": 8, "r": 12},
        "hovermode": "x unified",
        "xaxis": quiet_axis(tokens, showgrid=False, title=step, rangemode="tozero", fixedrange=False),
        "yaxis": quiet_axis(tokens, automargin=True, nticks=5),
        "showlegend": len(series) > 1,
        "legend": {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top", "font": {"size": 11}, "itemwidth": 30},
    }
    notes = [_heading(title, unit, tokens), *[_resume_name(step, tokens) for step in resumes]]
    shapes = [_resume_line(step, tokens) for step in resumes]
    return make_figure(
        tokens,
        height=HEIGHT,
        data=[trace for pair in lines for trace in pair],
        shapes=shapes,
        notes=notes,
        layout=layout,
    )


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Average with the past, without the pull towards zero at the start; gaps (not finite) are carried through."""
    smoothed, mean, mass = [], 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            mean, mass = weight * mean + (1 - weight) * value, weight * mass + (1 - weight)
            smoothed.append(mean / mass)
        else:
            smoothed.append(value)
    return smoothed


def thin(steps: Sequence[int], values: Sequence[float], max_points: int = MAX_POINTS) -> tuple[list[int], list[float]]:
    """Keep the lowest and the highest value of each stretch, in their order, and the two ends."""
    n = len(steps)
    if n <= max_points:
        return list(steps), list(values)
    stretch, keep = math.ceil(2 * n / max_points), {0, n - 1}
    for low in range(0, n, stretch):
        inside = sorted(range(low, min(n, low + stretch)), key=lambda at: (math.isfinite(values[at]), values[at]))
        keep |= {inside[0], inside[-1]}
    return [steps[at] for at in sorted(keep)], [values[at] for at in sorted(keep)]


def _hue(name: str, at: int, tokens: Tokens) -> str:
    """A domain's line has the domain's hue; other lines begin with the accent."""
    domain = next((key for key, known in DOMAINS.items() if name in (known.title, known.label)), None)
    if domain is not None:
        return domain_colour(domain, (), tokens)
    return tokens.accent if at == 0 else tokens.domains[(at + 1) % len(tokens.domains)]


def _lines(name: str, steps: Sequence[int], values: Sequence[float], hue: str, smoothing: float) -> list[Part]:
    hover = "%{y:.4g}<extra>%{fullData.name}</extra>"
    clear: Part = {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "line": {"color": hue, "width": 1.75},
        "hovertemplate": hover,
    }
    x, y = thin(steps, values)
    if not smoothing:
        return [{**clear, "x": x, "y": _finite(y)}]
    raw: Part = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False, "x": x, "y": _finite(y)}
    x, y = thin(steps, smooth(values, smoothing))
    return [{**raw, "line": {"color": faint(hue, 0.28), "width": 1}}, {**clear, "x": x, "y": _finite(y)}]


def _heading(title: str, unit: str, tokens: Tokens) -> Part:
    text = f"<b>{title}</b>" + (f" <span style='color:{tokens.muted}'>{unit}</span>" if unit else "")
    place: Part = {
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 8,
    }
    return {"text": text, **place, "font": {"size": 13}}


def _resume_line(step: int, tokens: Tokens) -> Part:
    line = {"color": tokens.muted, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": step, "x1": step, "yref": "paper", "y0": 0, "y1": 1, "line": line, "layer": "below"}


def _resume_name(step: int, tokens: Tokens) -> Part:
    place: Part = {"x": step, "yref": "paper", "y": 0, "xanchor": "left", "yanchor": "bottom"}
    return {"text": "resumed", **place, "font": {"size": 10, "color": tokens.muted}}


def _finite(values: Sequence[float]) -> list[float | None]:
    """Round for a small document; JSON has no NaN, and a gap is what it means."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values]

"""A stage's metric as a small picture: the line faint, its means over the first and the last third on top of it."""

import math
from collections.abc import Sequence
from statistics import fmean

import plotly.graph_objects as go

from runs.drift.causes import thirds
from runs.plots.theme import TOKENS, Part, Theme, Tokens, faint, make_figure, quiet_axis
from runs.plots.training import thin

HEIGHT = 150  # pixels


def trend_curve(steps: Sequence[int], values: Sequence[float], *, n_steps: int, theme: Theme = "light") -> go.Figure:
    """Draw one metric; n_steps: how long the stage is, of which the thirds are taken."""
    tokens, (until, since) = TOKENS[theme], thirds(n_steps)
    pairs = [pair for pair in zip(steps, values, strict=True) if math.isfinite(pair[1])]
    x, y = thin([step for step, _ in pairs], [value for _, value in pairs])
    line: Part = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {"color": faint(tokens.accent, 0.4), "width": 1},
    }
    data = [
        {**line, "hovertemplate": "step %{x}: %{y:.4g}<extra></extra>"},
        *_level("first third", [pair for pair in pairs if pair[0] <= until], tokens),
        *_level("last third", [pair for pair in pairs if pair[0] >= since], tokens),
    ]
    layout: Part = {
        "margin": {"t": 8, "b": 22, "l": 8, "r": 8},
        "xaxis": quiet_axis(tokens, showgrid=False, range=[0, n_steps], nticks=4),
        "yaxis": quiet_axis(tokens, automargin=True, nticks=4),
    }
    return make_figure(tokens, height=HEIGHT, data=data, shapes=[], notes=[], layout=layout)


def _level(name: str, pairs: list[tuple[int, float]], tokens: Tokens) -> list[Part]:
    if not pairs:
        return []
    mean = fmean(value for _, value in pairs)
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [pairs[0][0], pairs[-1][0]],
            "y": [mean, mean],
            "line": {"color": tokens.text, "width": 3},
            "hovertemplate": "%{fullData.name}: %{y:.4g}<extra></extra>",
        }
    ]

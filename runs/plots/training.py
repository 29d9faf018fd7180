"""Curves of training: reward, response length, loss, reverse KL. The raw line is faint, a smoothed one lies over it."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from runs.plots.theme import TOKENS, Theme, Tokens, faint, new_figure, quiet_axis

Series = tuple[Sequence[int], Sequence[float]]  # steps, values
MAX_POINTS = 600  # per line; more are thinned to the extremes of each stretch, so that spikes stay
SMOOTHING = 0.8


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
    figure = new_figure(tokens, height=220, margin={"t": 34, "b": 34, "l": 8, "r": 12}, hovermode="x unified")
    figure.update_layout(
        xaxis=quiet_axis(
            tokens,
            showgrid=False,
            title={"text": "step", "font": {"size": 11, "color": tokens.muted}},
            rangemode="tozero",
        ),
        yaxis=quiet_axis(tokens, automargin=True, nticks=5),
    )
    figure.add_annotation(
        text=f"<b>{title}</b>" + (f" <span style='color:{tokens.muted}'>{unit}</span>" if unit else ""),
        xref="paper",
        yref="paper",
        x=0,
        y=1,
        xanchor="left",
        yanchor="bottom",
        yshift=8,
        showarrow=False,
        font={"size": 13},
    )
    hues = (tokens.accent,) if len(series) == 1 else tokens.domains
    for position, (name, (steps, values)) in enumerate(series.items()):
        _add_line(figure, name, steps, values, hues[position % len(hues)], smoothing)
    for step in resumes:
        _add_resume(figure, step, tokens)
    figure.update_layout(
        showlegend=len(series) > 1, legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"}
    )
    return figure


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


def _add_line(
    figure: go.Figure, name: str, steps: Sequence[int], values: Sequence[float], hue: str, smoothing: float
) -> None:
    x, y = thin(steps, values)
    if smoothing:
        figure.add_trace(
            go.Scatter(
                x=x,
                y=_finite(y),
                mode="lines",
                line={"color": faint(hue, 0.28), "width": 1},
                hoverinfo="skip",
                showlegend=False,
            )
        )
        x, y = thin(steps, smooth(values, smoothing))
    figure.add_trace(
        go.Scatter(
            x=x,
            y=_finite(y),
            mode="lines",
            name=name,
            line={"color": hue, "width": 1.75},
            hovertemplate="%{y:.4g}<extra>%{fullData.name}</extra>",
        )
    )


def _add_resume(figure: go.Figure, step: int, tokens: Tokens) -> None:
    figure.add_shape(
        type="line",
        x0=step,
        x1=step,
        yref="paper",
        y0=0,
        y1=1,
        line={"color": tokens.muted, "width": 1, "dash": "dot"},
        layer="below",
    )
    figure.add_annotation(
        text="resumed",
        x=step,
        yref="paper",
        y=0,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 10, "color": tokens.muted},
    )


def _finite(values: Sequence[float]) -> list[float | None]:
    """Round for a small document; JSON has no NaN, and a gap is what it means."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values]

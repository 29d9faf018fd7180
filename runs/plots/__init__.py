"""One function per picture: numbers in, a Plotly figure out, or one per panel; no queries.

A figure carries its theme's colours; the page asks for the theme it shows. `to_json` and `panels_to_json` are what a page
embeds or an API returns, `CONFIG` what Plotly.js is called with.
"""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from runs.plots.forgetting import forgetting_curves
from runs.plots.heatmap import Mode, matrix_heatmap
from runs.plots.overlay import overlay_curves
from runs.plots.recovery import recovery_bars
from runs.plots.theme import Theme
from runs.plots.training import training_curve
from runs.plots.trends import trend_curve

CONFIG: dict[str, Any] = {"displayModeBar": False, "displaylogo": False, "responsive": True}

__all__ = [
    "CONFIG",
    "Mode",
    "Theme",
    "forgetting_curves",
    "matrix_heatmap",
    "overlay_curves",
    "panels_to_json",
    "recovery_bars",
    "to_json",
    "training_curve",
    "trend_curve",
]


def to_json(figure: go.Figure) -> str:
    """Write a figure as JSON: the same figure always gives the same text."""
    text = figure.to_json()
    assert isinstance(text, str)
    return text


def panels_to_json(figures: Sequence[go.Figure]) -> str:
    """Write the panels of a grid as JSON, in their order: `{"panels": [figure, ...]}`."""
    return f'{{"panels":[{",".join(to_json(figure) for figure in figures)}]}}'

"""A grid of small plots: scores of 0 to 100 points over checkpoints, a panel per domain, each a figure of its own.

The page sets them side by side and draws one after the other: two dozen in one figure would hold it up for most of a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from runs.plots.theme import Part, Tokens, clipped, make_figure, quiet_axis

PANEL, TOP, BETWEEN, BOTTOM, LEFT, RIGHT = 168, 30, 32, 92, 28, 10  # pixels; plots.js lays out the rows by their sum
LONGEST_NAME = 17  # letters of a checkpoint below a panel


@dataclass(frozen=True)
class Grid:
    """Panels row by row; the lowest of each column name the checkpoints."""

    n_panels: int
    columns: int
    tokens: Tokens
    names: Sequence[str]  # of the checkpoints
    upper: Part  # what the labels of any but the lowest panels are

    def panel(
        self, title: str, place: int, *, data: list[Part], shapes: Sequence[Part] = (), notes: Sequence[Part] = ()
    ) -> go.Figure:
        """Draw the panel that has this place in the grid, its title above it."""
        is_lowest = place + self.columns >= self.n_panels
        bottom, last = BOTTOM if is_lowest else BETWEEN, len(self.names) - 1
        labels = {"ticktext": list(self.names), "tickangle": -45} if is_lowest else self.upper
        layout = {
            "margin": {"t": TOP, "b": bottom, "l": LEFT, "r": RIGHT},
            "xaxis": quiet_axis(
                self.tokens, range=[-0.6, last + 0.6], tickvals=list(range(last + 1)), showgrid=False, **labels
            ),
            "yaxis": quiet_axis(self.tokens, range=[-4, 104], tickvals=[0, 50, 100]),
        }
        heading: Part = {"text": f"<b>{title}</b>", "xref": "paper", "yref": "paper", "x": 0, "y": 1, "yshift": 6}
        place_of_heading: Part = {"xanchor": "left", "yanchor": "bottom", "font": {"size": 13}}
        return make_figure(
            self.tokens,
            height=TOP + PANEL + bottom,
            data=data,
            shapes=list(shapes),
            notes=[{**heading, **place_of_heading}, *notes],
            layout=layout,
        )


def short_name(title: str) -> str:
    """Cut a checkpoint's title to what stands below a panel."""
    return clipped(title, LONGEST_NAME)

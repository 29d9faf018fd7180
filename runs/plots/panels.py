"""A grid of small plots: scores of 0 to 100 points over checkpoints, a panel per domain."""

from collections.abc import Sequence
from dataclasses import dataclass

from runs.plots.theme import Part, Tokens, clipped, quiet_axis

PANEL, GAP, TOP, BOTTOM, LEFT, RIGHT = 168, 62, 30, 92, 28, 10  # pixels
GUTTER = 0.03  # between panels, of the whole width
LONGEST_NAME = 17  # letters of a checkpoint below a panel


@dataclass(frozen=True)
class Grid:
    """Panels row by row; the lowest of each column name the checkpoints."""

    n_panels: int
    columns: int
    tokens: Tokens

    @property
    def height(self) -> int:
        """Height of the figure in pixels."""
        n_rows = max(1, -(-self.n_panels // self.columns))
        return TOP + BOTTOM + n_rows * PANEL + (n_rows - 1) * GAP

    @property
    def margin(self) -> Part:
        return {"margin": {"t": TOP, "b": BOTTOM, "l": LEFT, "r": RIGHT}}

    def panel(self, title: str, place: int, *, names: Sequence[str], upper: Part) -> tuple[tuple[Part, Part], Part]:
        """Make the axes of a panel and the title above it. upper: what the labels of any but the lowest panels are."""
        number, (down, across) = axis_number(place), divmod(place, self.columns)
        inner, gutter = self.height - TOP - BOTTOM, GUTTER if self.columns > 1 else 0.0
        top, width = 1 - down * (PANEL + GAP) / inner, (1 - gutter * (self.columns - 1)) / self.columns
        left = across * (width + gutter)
        is_lowest = place + self.columns >= self.n_panels
        x = quiet_axis(
            self.tokens,
            domain=[round(left, 4), round(left + width, 4)],
            anchor=f"y{number}",
            range=[-0.6, len(names) - 0.4],
            tickvals=list(range(len(names))),
            showgrid=False,
            **({"ticktext": list(names), "tickangle": -45} if is_lowest else upper),
        )
        y = quiet_axis(
            self.tokens,
            domain=[round(max(0.0, top - PANEL / inner), 4), round(top, 4)],
            anchor=f"x{number}",
            range=[-4, 104],
            tickvals=[0, 50, 100],
            showticklabels=across == 0,
        )
        note: Part = {"text": f"<b>{title}</b>", "xref": "paper", "yref": "paper", "x": left, "y": top}
        return (x, y), {**note, "xanchor": "left", "yanchor": "bottom", "yshift": 6, "font": {"size": 13}}


def axis_number(place: int) -> str:
    """What Plotly appends to the names of a panel's axes; nothing to the first's."""
    return "" if place == 0 else str(place + 1)


def short_name(title: str) -> str:
    """Cut a checkpoint's title to what stands below a panel."""
    return clipped(title, LONGEST_NAME)

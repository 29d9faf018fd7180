"""Curves of several runs over each other: a panel for the mean and one per domain, stages of one name above each other."""

from collections.abc import Sequence

import plotly.graph_objects as go

from runs.drift import ScoreMatrix
from runs.drift.across import align_rows
from runs.plots.panels import Grid, short_name
from runs.plots.theme import TOKENS, Part, Theme, Tokens

DASHES = ("solid", "dash", "dot")
MEAN = "Mean"


def overlay_curves(
    runs: Sequence[tuple[str, ScoreMatrix]], *, baseline: int = 0, columns: int = 4, theme: Theme = "light"
) -> list[go.Figure]:
    """Draw a line per run in each panel; runs: name and scores; baseline: the one whose line is dark and thick.

    A run's hue and dash follow from its place in the list, as `run_mark` has it.
    """
    tokens, matrices = TOKENS[theme], [matrix for _, matrix in runs]
    keys = align_rows(matrices)
    panels = [("", MEAN), *{c.domain: (c.domain, c.title) for matrix in matrices for c in matrix.columns}.values()]
    names = [short_name(key) for key in keys]
    grid = Grid(len(panels), columns, tokens, names, upper={"showticklabels": False})

    def line(domain: str, at: int) -> Part:
        name, matrix = runs[at]
        return {**_line(matrix, keys, domain), **_style(at, at == baseline, tokens), "name": name}

    return [
        grid.panel(title, place, data=[line(domain, at) for at in range(len(runs))])
        for place, (domain, title) in enumerate(panels)
    ]


def run_mark(place: int) -> tuple[int, str]:
    """Give a run's hue (which of the eight) and dash by its place in the list."""
    return place % 8, DASHES[place // 8 % len(DASHES)]


def _style(place: int, is_baseline: bool, tokens: Tokens) -> Part:
    hue, dash = run_mark(place)
    colour = tokens.text if is_baseline else tokens.domains[hue]
    return {
        "type": "scatter",
        "line": {"color": colour, "width": 2.5 if is_baseline else 1.5, "dash": "solid" if is_baseline else dash},
        "marker": {"size": 5, "color": colour},
        "hovertemplate": "<b>%{fullData.name}</b><br>%{customdata}: %{y:.1f}<extra></extra>",
    }


def _line(matrix: ScoreMatrix, keys: list[str], domain: str) -> Part:
    """A run's points in the order of its own stages; a domain that is not scored is a gap.

    Where its stages come in another order than the baseline's a line would go back and forth: then there are points alone.
    """
    rows = [row for row in matrix.rows if row.key in keys]
    means = [_mean(matrix, row.key, domain) for row in rows]
    places = [keys.index(row.key) for row in rows]
    return {
        "mode": "lines+markers" if places == sorted(places) else "markers",
        "x": places,
        "y": [None if mean is None else round(100 * mean, 2) for mean in means],
        "customdata": [row.title for row in rows],
    }


def _mean(matrix: ScoreMatrix, row: str, domain: str) -> float | None:
    """One domain's score, or with '' the mean over the recipe's benchmarks, if all are scored."""
    if not domain:
        return matrix.mean(row)
    cell = matrix.cell(row, domain)
    return cell.mean if cell else None

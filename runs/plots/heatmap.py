"""The matrix as a picture: stages down, benchmarks across, the number in each cell.

Scores lie on one sequential scale. Changes lie on a diverging scale centred on no change, and only what is significant
has a colour: noise is the ground with grey figures, whatever its size.
"""

from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from runs.drift import Change, ChangeMatrix, ScoreCell, ScoreMatrix, find_changes, words
from runs.plots.theme import CLEAR, TOKENS, Part, Theme, Tokens, between, clipped, make_figure, quiet_axis, readable_on

Mode = Literal["score", "start", "previous", "peak", "own", "row"]
ROW, TOP = 32, 30  # pixels
SQUARE = 0.94  # of the room a cell has
FULL_CHANGE = 0.4  # a change of 40 points has the full colour


@dataclass(frozen=True)
class _Cell:
    text: str
    colour: str
    text_colour: str
    facts: str


def matrix_heatmap(
    matrix: ScoreMatrix,
    mode: Mode = "score",
    *,
    changes: ChangeMatrix | None = None,
    compact: bool = False,
    theme: Theme = "light",
) -> go.Figure:
    """Draw the scores, or their changes since the start, the row before, the peak, the own stage or one chosen row.

    changes: where they are known already; those since a chosen row always have to be given. compact: whole points and short
    names, for a narrow screen; the hover has the decimals.
    """
    tokens = TOKENS[theme]
    decimals, length = (0, 9) if compact else (1, 24)
    cells = (
        _score_cells(matrix, decimals, tokens)
        if mode == "score"
        else _change_cells(
            matrix, find_changes(matrix, mode) if changes is None and mode != "row" else changes or {}, decimals, tokens
        )
    )
    n_rows, n_columns = len(matrix.rows), len(matrix.columns)
    layout = {
        "margin": {"t": TOP, "b": 8, "l": 8, "r": 8},
        "barmode": "overlay",
        "xaxis": quiet_axis(
            tokens, side="top", range=[-0.5, n_columns - 0.5], tickvals=list(range(n_columns)),
            ticktext=[column.label for column in matrix.columns], showgrid=False,
        ),
        "yaxis": quiet_axis(
            tokens, range=[n_rows - 0.5, -0.5], tickvals=list(range(n_rows)), showgrid=False, automargin=True,
            ticktext=[f"{at} {clipped(row.title, length)} " for at, row in enumerate(matrix.rows)],
            tickfont={"size": 12, "color": tokens.text},
        ),
    }  # fmt: skip
    data = [_squares(cells), _numbers(matrix, cells)]
    return make_figure(
        tokens, height=TOP + 8 + ROW * n_rows, data=data, shapes=_outlines(matrix, tokens), notes=[], layout=layout
    )


def _score_cells(matrix: ScoreMatrix, decimals: int, tokens: Tokens) -> list[list[_Cell]]:
    return [
        [_score_cell(matrix.cell(row.key, column.domain), decimals, tokens) for column in matrix.columns]
        for row in matrix.rows
    ]


def _score_cell(cell: ScoreCell | None, decimals: int, tokens: Tokens) -> _Cell:
    if cell is None:
        return _Cell("–", CLEAR, tokens.muted, "not scored")
    colour = between(tokens.low, tokens.high, cell.mean)
    return _Cell(words.score(cell.mean, decimals=decimals), colour, readable_on(colour, tokens), words.cell(cell))


def _change_cells(matrix: ScoreMatrix, found: ChangeMatrix, decimals: int, tokens: Tokens) -> list[list[_Cell]]:
    return [
        [_change_cell(matrix, found[row.key, column.domain], decimals, tokens) for column in matrix.columns]
        for row in matrix.rows
    ]


def _change_cell(matrix: ScoreMatrix, change: Change, decimals: int, tokens: Tokens) -> _Cell:
    if change.difference is None:
        return _Cell("–", CLEAR, tokens.muted, change.reason)
    text = words.change(change.difference, decimals=decimals)
    since = f"since {matrix.row(change.reference).title}" if change.reference else ""
    facts = words.joined(words.change(change.difference), words.change_interval(change.interval), since)
    if not change.is_significant:
        return _Cell(text, CLEAR, tokens.muted, f"{facts}<br>{'within noise' if change.is_known else change.reason}")
    share = min(1.0, abs(change.difference) / FULL_CHANGE)
    colour = between(tokens.ground, tokens.gain if change.is_gain else tokens.loss, 0.15 + 0.85 * share)
    return _Cell(
        text, colour, readable_on(colour, tokens), f"{facts}<br>p = {change.adjusted_p:.2g} ({change.test}, Holm)"
    )


def _squares(cells: list[list[_Cell]]) -> Part:
    """Paint each cell in its own colour: bars of the height of a row. A heat map would need a larger build of Plotly.js."""
    flat = [(down, across, cell) for down, row in enumerate(cells) for across, cell in enumerate(row)]
    return {
        "type": "bar",
        "x": [across for _, across, _ in flat],
        "base": [round(down - SQUARE / 2, 2) for down, _, _ in flat],
        "y": [SQUARE for _ in flat],
        "width": SQUARE,
        "marker": {"color": [cell.colour for *_, cell in flat], "line": {"width": 0}},
        "hoverinfo": "skip",
    }


def _numbers(matrix: ScoreMatrix, cells: list[list[_Cell]]) -> Part:
    flat = [(down, across, cell) for down, row in enumerate(cells) for across, cell in enumerate(row)]
    return {
        "type": "scatter",
        "mode": "text",
        "x": [across for _, across, _ in flat],
        "y": [down for down, _, _ in flat],
        "text": [cell.text for *_, cell in flat],
        "textfont": {"size": 12, "color": [cell.text_colour for *_, cell in flat]},
        "customdata": [
            [matrix.rows[down].title, matrix.columns[across].title, cell.facts] for down, across, cell in flat
        ],
        "hovertemplate": "<b>%{customdata[0]}</b> · %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
    }


def _outlines(matrix: ScoreMatrix, tokens: Tokens) -> list[Part]:
    """Frame each domain's own stages."""
    return [
        {
            "type": "rect",
            "x0": across - 0.49,
            "x1": across + 0.49,
            "y0": down - 0.47,
            "y1": down + 0.47,
            "line": {"color": tokens.text, "width": 1},
            "fillcolor": CLEAR,
        }
        for down, row in enumerate(matrix.rows)
        for across, column in enumerate(matrix.columns)
        if row.kind == "grpo" and column.domain in row.domains
    ]

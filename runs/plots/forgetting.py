"""Forgetting curves: a panel per domain, the checkpoints across, each score with its 95 % whisker.

A panel answers three questions at a glance: which stage trained the domain (its band), what later stages did to it (the
line), and how close each MOPD stage came to its teacher (violet bands, dashed line). A line only joins a checkpoint to
the one it starts from, and breaks where the protocol changed or a score is missing; a side branch hangs off it, dotted.
"""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from runs.drift import ColumnInfo, ScoreCell, ScoreMatrix, words
from runs.drift.changes import why_incomparable
from runs.plots.theme import (
    MARKERS,
    TOKENS,
    Theme,
    Tokens,
    clipped,
    domain_colour,
    faint,
    new_figure,
    quiet_axis,
    stage_colour,
)

PANEL, GAP, TOP, BOTTOM, LEFT, RIGHT = 168, 62, 30, 92, 28, 10  # pixels
LONGEST_NAME = 17  # letters of a checkpoint below a panel


def forgetting_curves(
    matrix: ScoreMatrix, *, teachers: Mapping[str, str] | None = None, columns: int = 4, theme: Theme = "light"
) -> go.Figure:
    """Draw a panel per domain, `columns` side by side.

    teachers: domain -> the row that taught it in the last MOPD stage; its score becomes the dashed line.
    """
    tokens, n = TOKENS[theme], len(matrix.columns)
    n_rows = max(1, -(-n // columns))
    height = TOP + BOTTOM + n_rows * PANEL + (n_rows - 1) * GAP
    figure = new_figure(
        tokens, height=height, margin={"t": TOP, "b": BOTTOM, "l": LEFT, "r": RIGHT}, hovermode="closest"
    )
    for position, column in enumerate(matrix.columns):
        axes = "" if position == 0 else str(position + 1)
        _add_axes(figure, matrix, tokens, position, columns, height)
        _add_bands(figure, matrix, column, axes, tokens)
        _add_levels(figure, matrix, column, (teachers or {}).get(column.domain), axes, tokens)
        _add_scores(figure, matrix, column, axes, tokens)
    return figure


def _add_axes(figure: go.Figure, matrix: ScoreMatrix, tokens: Tokens, position: int, columns: int, height: int) -> None:
    """Place a panel in the grid and write its domain above it."""
    axes, (down, across) = "" if position == 0 else str(position + 1), divmod(position, columns)
    inner = height - TOP - BOTTOM
    top = 1 - down * (PANEL + GAP) / inner
    gutter = 0.03 if columns > 1 else 0.0
    width = (1 - gutter * (columns - 1)) / columns
    left = across * (width + gutter)
    x = quiet_axis(
        tokens,
        domain=[left, left + width],
        anchor=f"y{axes}",
        range=[-0.6, len(matrix.rows) - 0.4],
        tickvals=list(range(len(matrix.rows))),
        showgrid=False,
        **({"ticktext": _row_names(matrix), "tickangle": -45} if position + columns >= len(matrix.columns) else {}),
    )
    y = quiet_axis(
        tokens,
        domain=[max(0.0, top - PANEL / inner), top],
        anchor=f"x{axes}",
        range=[-4, 104],
        tickvals=[0, 50, 100],
        showticklabels=across == 0,
    )
    figure.update_layout({f"xaxis{axes}": x, f"yaxis{axes}": y})
    figure.add_annotation(
        text=f"<b>{matrix.columns[position].title}</b>",
        xref="paper",
        yref="paper",
        x=left,
        y=top,
        xanchor="left",
        yanchor="bottom",
        yshift=6,
        showarrow=False,
        font={"size": 13},
    )


def _row_names(matrix: ScoreMatrix) -> list[str]:
    """Name the checkpoints below the lowest panels; the others only number them, as the matrix does."""
    return [f"{clipped(row.title, LONGEST_NAME)} {at}" for at, row in enumerate(matrix.rows)]


def _add_bands(figure: go.Figure, matrix: ScoreMatrix, column: ColumnInfo, axes: str, tokens: Tokens) -> None:
    """Shade the stages that train the domain, and those that teach it back."""
    domains = tuple(c.domain for c in matrix.columns)
    for position, row in enumerate(matrix.rows):
        if column.domain not in row.domains or row.kind not in ("grpo", "mopd"):
            continue
        colour = tokens.mopd if row.kind == "mopd" else domain_colour(column.domain, domains, tokens)
        figure.add_shape(
            type="rect",
            xref=f"x{axes}",
            yref=f"y{axes} domain",
            x0=position - 0.5,
            x1=position + 0.5,
            y0=0,
            y1=1,
            line_width=0,
            fillcolor=faint(colour, 0.13),
            layer="below",
        )


def _add_levels(
    figure: go.Figure, matrix: ScoreMatrix, column: ColumnInfo, teacher: str | None, axes: str, tokens: Tokens
) -> None:
    """Draw the teacher's score (dashed) and the score of guessing (dotted) across the panel."""
    cell = matrix.cell(teacher, column.domain) if teacher else None
    if column.chance > 0:
        _add_level(figure, 100 * column.chance, axes, tokens.muted, "dot", "chance", side="right")
    if cell is not None:
        _add_level(figure, 100 * cell.mean, axes, tokens.mopd, "dash", "teacher", side="left")


def _add_level(figure: go.Figure, level: float, axes: str, colour: str, dash: str, name: str, *, side: str) -> None:
    figure.add_shape(
        type="line",
        xref=f"x{axes} domain",
        yref=f"y{axes}",
        x0=0,
        x1=1,
        y0=level,
        y1=level,
        line={"color": colour, "width": 1, "dash": dash},
        layer="below",
    )
    figure.add_annotation(
        text=name,
        xref=f"x{axes} domain",
        yref=f"y{axes}",
        x=0 if side == "left" else 1,
        y=level,
        xanchor=side,
        yanchor="bottom",
        showarrow=False,
        font={"size": 10, "color": colour},
    )


def _add_scores(figure: go.Figure, matrix: ScoreMatrix, column: ColumnInfo, axes: str, tokens: Tokens) -> None:
    line, side = _links(matrix, column)
    common = {"xaxis": f"x{axes}", "yaxis": f"y{axes}", "mode": "lines", "hoverinfo": "skip"}
    if side[0]:
        figure.add_trace(
            go.Scatter(x=side[0], y=side[1], line={"color": tokens.line, "width": 1, "dash": "dot"}, **common)
        )
    figure.add_trace(go.Scatter(x=line[0], y=line[1], line={"color": tokens.line, "width": 1.5}, **common))
    figure.add_trace(_points(matrix, column, axes, tokens))


def _links(matrix: ScoreMatrix, column: ColumnInfo) -> tuple[tuple[list[float | None], list[float | None]], ...]:
    """Join each checkpoint with the one it starts from: the lineage of the last one, and the side branches."""
    final = matrix.final_row()
    main = {row.key for row in matrix.lineage(final.key)} if final else set()
    positions = {row.key: position for position, row in enumerate(matrix.rows)}
    line: tuple[list[float | None], list[float | None]] = ([], [])
    side: tuple[list[float | None], list[float | None]] = ([], [])
    for row in matrix.rows:
        before = matrix.cell(row.parent, column.domain) if row.parent else None
        after = matrix.cell(row.key, column.domain)
        if before is None or after is None or why_incomparable(before, after):
            continue
        x, y = line if row.key in main else side
        x += [positions[before.row], positions[row.key], None]
        y += [_points_of(before), _points_of(after), None]
    return line, side


def _points(matrix: ScoreMatrix, column: ColumnInfo, axes: str, tokens: Tokens) -> go.Scatter:
    domains = tuple(c.domain for c in matrix.columns)
    scored = [(at, row, cell) for at, row in enumerate(matrix.rows) if (cell := matrix.cell(row.key, column.domain))]
    colours = [stage_colour(row.kind, row.domains, domains, tokens) for _, row, _ in scored]
    whiskers: dict[str, Any] = {
        "type": "data",
        "symmetric": False,
        "array": [round(100 * (cell.interval[1] - cell.mean), 2) if cell.interval else 0 for _, _, cell in scored],
        "arrayminus": [round(100 * (cell.mean - cell.interval[0]), 2) if cell.interval else 0 for _, _, cell in scored],
        "color": tokens.line,
        "thickness": 1.25,
        "width": 0,
    }
    return go.Scatter(
        xaxis=f"x{axes}",
        yaxis=f"y{axes}",
        mode="markers",
        name=column.title,
        x=[at for at, _, _ in scored],
        y=[_points_of(cell) for _, _, cell in scored],
        error_y=whiskers,
        marker={
            "symbol": [MARKERS[row.kind] for _, row, _ in scored],
            "size": [11 if row.kind == "mopd" else 8 for _, row, _ in scored],
            "color": colours,
            "line": {"color": tokens.ground, "width": [1.75 if row.kind == "mopd" else 1 for _, row, _ in scored]},
            "opacity": 1,
        },
        customdata=[[row.title, words.cell(cell), row.key] for _, row, cell in scored],
        hovertemplate="<b>%{customdata[0]}</b><br>%{fullData.name} %{customdata[1]}<extra></extra>",
    )


def _points_of(cell: ScoreCell) -> float:
    return round(100 * cell.mean, 2)

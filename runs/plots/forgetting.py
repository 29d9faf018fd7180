"""Forgetting curves: a panel per domain, the checkpoints across, each score with its 95 % whisker.

A panel answers three questions at a glance: which stage trained the domain (its band), what later stages did to it (the
line), and how close each MOPD stage came to its teacher (violet bands, dashed line). A line only joins a checkpoint to
the one it starts from. It breaks where a score is missing, and where two may not be compared: there stands a mark that
says why. What the last checkpoint does not descend from is a side branch: faint, and joined by dots.
"""

from collections.abc import Mapping

import plotly.graph_objects as go

from runs.drift import Break, ColumnInfo, During, RowInfo, ScoreCell, ScoreMatrix, find_breaks, words
from runs.drift.comparability import why_incomparable
from runs.plots.levels import Level, level_line, level_name, published_levels, published_names
from runs.plots.panels import Grid, short_name
from runs.plots.theme import (
    MARKERS,
    TOKENS,
    Part,
    Theme,
    Tokens,
    domain_colour,
    faint,
    stage_colour,
)

FAINT = 0.4  # opacity of a side branch


def forgetting_curves(
    matrix: ScoreMatrix,
    *,
    teachers: Mapping[str, str] | None = None,
    references: Mapping[str, Mapping[str, float]] | None = None,
    published: Mapping[str, Mapping[str, float]] | None = None,
    during: During | None = None,
    columns: int = 4,
    theme: Theme = "light",
) -> list[go.Figure]:
    """Draw a panel per domain, `columns` side by side.

    teachers: domain -> the row that taught it in the last MOPD stage; its score becomes the dashed line.
    references: name -> domain -> a score to hold the curves against, 0 to 1, such as another run's last.
    published: the same of models that others scored; their lines are dash-dotted and say so.
    during: scores from the middle of stages, which become small points on the way to the stage's own.
    """
    tokens, breaks = TOKENS[theme], find_breaks(matrix)
    grid = Grid(len(matrix.columns), columns, tokens, _row_names(matrix), upper={})
    figures = []
    for place, column in enumerate(matrix.columns):
        levels = _levels(matrix, column, (teachers or {}).get(column.domain), tokens)
        levels += _reference_levels(column, references or {}, tokens)
        foreign = published_levels(column.domain, published or {}, tokens)
        broken = [(_middle(matrix, found), found.reason) for found in breaks if found.column == column.domain]
        shapes = [*_bands(matrix, column, tokens), *[level_line(level) for level in [*levels, *foreign]]]
        shapes += [_break_line(at, tokens) for at, _ in broken]
        notes = [level_name(level) for level in levels] + published_names(foreign)
        notes += [_break_mark(at, reason, tokens) for at, reason in broken]
        data = [*_scores(matrix, column, tokens), *_middle_points(matrix, column, during or {}, tokens)]
        figures.append(grid.panel(column.title, place, data=data, shapes=shapes, notes=notes))
    return figures


def _row_names(matrix: ScoreMatrix) -> list[str]:
    """Name the checkpoints below the lowest panels; the others only number them, as the matrix does."""
    return [f"{short_name(row.title)} {at}" for at, row in enumerate(matrix.rows)]


def _bands(matrix: ScoreMatrix, column: ColumnInfo, tokens: Tokens) -> list[Part]:
    """Shade the stages that train the domain, and those that teach it back."""
    domains = tuple(c.domain for c in matrix.columns)
    hues = {"mopd": tokens.mopd, "grpo": domain_colour(column.domain, domains, tokens)}
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "y domain",
            "x0": position - 0.5,
            "x1": position + 0.5,
            "y0": 0,
            "y1": 1,
            "line": {"width": 0},
            "fillcolor": faint(hues[row.kind], 0.13),
            "layer": "below",
        }
        for position, row in enumerate(matrix.rows)
        if column.domain in row.domains and row.kind in hues
    ]


def _levels(matrix: ScoreMatrix, column: ColumnInfo, teacher: str | None, tokens: Tokens) -> list[Level]:
    """List the score of guessing (dotted) and the teacher's (dashed)."""
    cell = matrix.cell(teacher, column.domain) if teacher else None
    chance = [Level("chance", round(100 * column.chance, 2), tokens.muted, "dot", "right")] if column.chance > 0 else []
    return chance + ([Level("teacher", _points_of(cell), tokens.mopd, "dash", "left")] if cell else [])


def _reference_levels(column: ColumnInfo, references: Mapping[str, Mapping[str, float]], tokens: Tokens) -> list[Level]:
    return [
        Level(name, round(100 * scores[column.domain], 2), tokens.accent, "longdash", "right")
        for name, scores in references.items()
        if column.domain in scores
    ]


def _middle(matrix: ScoreMatrix, found: Break) -> float:
    """Place a break between its two checkpoints."""
    positions = {row.key: position for position, row in enumerate(matrix.rows)}
    return (positions[found.before] + positions[found.after]) / 2


def _break_line(at: float, tokens: Tokens) -> Part:
    place: Part = {"xref": "x", "yref": "y domain", "x0": at, "x1": at, "y0": 0, "y1": 0.9}
    return {"type": "line", **place, "line": {"color": tokens.loss, "width": 1, "dash": "dot"}, "layer": "below"}


def _break_mark(at: float, reason: str, tokens: Tokens) -> Part:
    place: Part = {"xref": "x", "yref": "y domain", "x": at, "y": 1}
    font = {"size": 12, "color": tokens.loss}
    return {"text": "≠", "hovertext": f"not joined: {reason}", **place, "yanchor": "top", "font": font}


def _scores(matrix: ScoreMatrix, column: ColumnInfo, tokens: Tokens) -> list[Part]:
    line, side = _links(matrix, column)
    common: Part = {"type": "scatter"}
    join: Part = {**common, "mode": "lines", "hoverinfo": "skip"}
    dotted = (
        [{**join, "x": side[0], "y": side[1], "line": {"color": tokens.line, "width": 1, "dash": "dot"}}]
        if side[0]
        else []
    )
    solid = {**join, "x": line[0], "y": line[1], "line": {"color": tokens.line, "width": 1.5}}
    main = _main_line(matrix)
    beside = _points(matrix, column, [row for row in matrix.rows if row.key not in main], tokens)
    points: Part = {**common, **_points(matrix, column, [row for row in matrix.rows if row.key in main], tokens)}
    return [*dotted, solid, points, *([{**common, **beside, "opacity": FAINT}] if beside["x"] else [])]


def _main_line(matrix: ScoreMatrix) -> set[str]:
    """The rows that the last checkpoint descends from, and itself; all rows while nothing is scored."""
    final = matrix.final_row()
    return {row.key for row in (matrix.lineage(final.key) if final else matrix.rows)}


def _links(matrix: ScoreMatrix, column: ColumnInfo) -> tuple[tuple[list[float | None], list[float | None]], ...]:
    """Join each checkpoint with the one it starts from: the lineage of the last one, and the side branches."""
    main = _main_line(matrix)
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


def _points(matrix: ScoreMatrix, column: ColumnInfo, rows: list[RowInfo], tokens: Tokens) -> Part:
    domains = tuple(c.domain for c in matrix.columns)
    positions = {row.key: position for position, row in enumerate(matrix.rows)}
    scored = [(positions[row.key], row, cell) for row in rows if (cell := matrix.cell(row.key, column.domain))]
    return {
        "mode": "markers",
        "name": column.title,
        "x": [at for at, _, _ in scored],
        "y": [_points_of(cell) for _, _, cell in scored],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(100 * (cell.interval[1] - cell.mean), 2) if cell.interval else 0 for _, _, cell in scored],
            "arrayminus": [
                round(100 * (cell.mean - cell.interval[0]), 2) if cell.interval else 0 for _, _, cell in scored
            ],
            "color": tokens.line,
            "thickness": 1.25,
            "width": 0,
        },
        "marker": {
            "symbol": [MARKERS[row.kind] for _, row, _ in scored],
            "size": [11 if row.kind == "mopd" else 8 for _, row, _ in scored],
            "color": [stage_colour(row.kind, row.domains, domains, tokens) for _, row, _ in scored],
            "line": {"color": tokens.ground, "width": [1.75 if row.kind == "mopd" else 1 for _, row, _ in scored]},
            "opacity": 1,
        },
        "customdata": [[row.title, words.cell(cell), row.key] for _, row, cell in scored],
        "hovertemplate": "<b>%{customdata[0]}</b><br>%{fullData.name} %{customdata[1]}<extra></extra>",
    }


def _middle_points(matrix: ScoreMatrix, column: ColumnInfo, during: During, tokens: Tokens) -> list[Part]:
    """Small points where a stage was scored in its middle, spread over the first half of its band; its end is the centre."""
    domains = tuple(c.domain for c in matrix.columns)
    found = [
        (position - 0.5 + 0.5 * step / row.steps, row, step, cell)
        for position, row in enumerate(matrix.rows)
        if row.steps
        for step, cell in during.get((row.key, column.domain), {}).items()
    ]
    if not found:
        return []
    colours = [stage_colour(row.kind, row.domains, domains, tokens) for _, row, _, _ in found]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": column.title,
            "x": [round(at, 4) for at, _, _, _ in found],
            "y": [_points_of(cell) for _, _, _, cell in found],
            "marker": {"size": 4, "color": colours, "opacity": 0.8},
            "customdata": [[f"{row.title}, step {step:,}", words.cell(cell)] for _, row, step, cell in found],
            "hovertemplate": "<b>%{customdata[0]}</b><br>%{fullData.name} %{customdata[1]}<extra></extra>",
        }
    ]


def _points_of(cell: ScoreCell) -> float:
    return round(100 * cell.mean, 2)

"""What a MOPD stage won back: per domain from before (hollow) to after (violet), with the teacher as a tick.

The three whiskers lie on lanes of their own, since on one line they would hide each other.
"""

import plotly.graph_objects as go

from runs.drift import DomainRecovery, Recovery, ScoreCell, words
from runs.plots.theme import TOKENS, Theme, Tokens, faint, new_figure, quiet_axis

ROW, NARROW_ROW, TOP, BOTTOM, NAMES, RESULTS = 40, 60, 8, 28, 150, 240  # pixels
LANES = {"before": -0.2, "after": 0.2, "teacher": 0.3}  # rows
Mark = tuple[int, DomainRecovery, ScoreCell]  # position, domain, score


def recovery_bars(recovery: Recovery, *, narrow: bool = False, theme: Theme = "light") -> go.Figure:
    """Draw a line per domain; where nothing was lost it is grey and says why.

    narrow: names and results above each line instead of beside it, for a phone.
    """
    tokens, domains = TOKENS[theme], recovery.domains
    sides = {"l": 8, "r": 12} if narrow else {"l": NAMES, "r": RESULTS}
    height = TOP + BOTTOM + (NARROW_ROW if narrow else ROW) * max(1, len(domains))
    figure = new_figure(tokens, height=height, margin={"t": TOP, "b": BOTTOM, **sides}, hovermode="closest")
    figure.update_layout(
        xaxis=quiet_axis(tokens, range=_range(recovery), dtick=10),
        yaxis=quiet_axis(tokens, range=[len(domains) - 0.5, -0.5], showgrid=False, showticklabels=False),
    )
    drop = 0.2 if narrow else 0.0  # the line moves down to make room for the words above it
    for position, domain in enumerate(domains):
        _add_words(figure, position, domain, narrow, tokens)
        _add_way(figure, position + drop, domain, tokens)
    figure.add_traces([_whiskers(recovery, name, drop, tokens) for name in LANES])
    figure.add_traces([_marks(recovery, name, drop, tokens) for name in LANES])
    return figure


def _range(recovery: Recovery) -> list[float]:
    """Show what the scores span, not 0 to 100: positions are compared here, not lengths from zero."""
    cells = [cell for domain in recovery.domains for cell in (domain.before, domain.after, domain.teacher) if cell]
    ends = [100 * end for cell in cells for end in (cell.interval or (cell.mean, cell.mean))] or [0, 100]
    return [round(max(-2.0, min(ends) - 3), 1), round(min(102.0, max(ends) + 3), 1)]


def _add_words(figure: go.Figure, position: int, domain: DomainRecovery, narrow: bool, tokens: Tokens) -> None:
    is_news = domain.fraction is not None and (
        domain.interval is None or domain.interval[0] > 0 or domain.interval[1] < 0
    )
    if domain.fraction is None:
        result = domain.reason
    else:
        noise = "" if is_news else "within noise"
        result = words.joined(words.percent(domain.fraction), words.percent_interval(domain.interval), noise)
    name, colour = f"<b>{domain.title}</b>", tokens.text if is_news else tokens.muted
    common = {"xref": "paper", "y": position, "showarrow": False, "align": "left"}
    if narrow:
        text = f"{name}  <span style='color:{colour}'>{result}</span>"
        figure.add_annotation(text=text, x=0, xanchor="left", yanchor="bottom", yshift=4, **common)
    else:
        figure.add_annotation(text=name, x=0, xanchor="right", xshift=-12, **common)
        figure.add_annotation(text=result, x=1, xanchor="left", xshift=12, font={"color": colour}, **common)


def _add_way(figure: go.Figure, y: float, domain: DomainRecovery, tokens: Tokens) -> None:
    """Draw the gap to the teacher as a hairline and the way that was gone as a bar."""
    if domain.before is None:
        return
    for cell, colour in ((domain.teacher, tokens.hairline), (domain.after, faint(_hue(domain, tokens), 0.5))):
        if cell is not None:
            figure.add_shape(
                type="line",
                x0=round(100 * domain.before.mean, 2),
                x1=round(100 * cell.mean, 2),
                y0=y,
                y1=y,
                line={"color": colour, "width": 5},
                layer="below",
            )


def _found(recovery: Recovery, name: str) -> list[Mark]:
    cells = [
        {"before": domain.before, "after": domain.after, "teacher": domain.teacher}[name] for domain in recovery.domains
    ]
    pairs = zip(recovery.domains, cells, strict=True)
    return [(position, domain, cell) for position, (domain, cell) in enumerate(pairs) if cell is not None]


def _whiskers(recovery: Recovery, name: str, drop: float, tokens: Tokens) -> go.Scatter:
    found = _found(recovery, name)
    return go.Scatter(
        mode="markers",
        name=f"{name}, 95 %",
        x=[round(100 * cell.mean, 2) for *_, cell in found],
        y=[round(position + drop + LANES[name], 2) for position, *_ in found],
        marker={"size": 1, "opacity": 0},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [round(100 * (cell.interval[1] - cell.mean), 2) if cell.interval else 0 for *_, cell in found],
            "arrayminus": [
                round(100 * (cell.mean - cell.interval[0]), 2) if cell.interval else 0 for *_, cell in found
            ],
            "color": {"before": tokens.line, "after": tokens.mopd, "teacher": tokens.text}[name],
            "thickness": 1,
            "width": 0,
        },
        hoverinfo="skip",
    )


def _marks(recovery: Recovery, name: str, drop: float, tokens: Tokens) -> go.Scatter:
    found = _found(recovery, name)
    hues = [_hue(domain, tokens) if name == "after" else tokens.line for _, domain, _ in found]
    return go.Scatter(
        mode="markers",
        name=name,
        x=[round(100 * cell.mean, 2) for *_, cell in found],
        y=[round(position + drop, 2) for position, *_ in found],
        marker=_marker(name, hues, tokens),
        customdata=[[domain.title, words.cell(cell), cell.row] for _, domain, cell in found],
        hovertemplate="<b>%{customdata[0]}</b> · %{fullData.name}<br>%{customdata[1]}<extra></extra>",
    )


def _marker(name: str, hues: list[str], tokens: Tokens) -> dict[str, object]:
    if name == "teacher":
        return {"symbol": "line-ns", "size": 18, "line": {"color": tokens.text, "width": 2}, "opacity": 1}
    colour: str | list[str] = tokens.ground if name == "before" else hues
    return {
        "symbol": "circle" if name == "before" else "diamond",
        "size": 9,
        "color": colour,
        "line": {"color": hues, "width": 1.5},
        "opacity": 1,
    }


def _hue(domain: DomainRecovery, tokens: Tokens) -> str:
    return tokens.mopd if domain.is_lost else tokens.sft

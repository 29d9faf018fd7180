"""What a MOPD stage won back: per domain from before (hollow) to after (violet), with the teacher as a tick.

The whisker is the interval of the recovered fraction, laid on the way to the teacher. Whiskers of the three scores
would mislead: they answer the same problems, so their differences are known far better than each of them.
"""

import plotly.graph_objects as go

from runs.drift import DomainRecovery, Interval, Recovery, ScoreCell, words
from runs.plots.theme import TOKENS, Theme, Tokens, faint, new_figure, quiet_axis

ROW, NARROW_ROW, TOP, BOTTOM, NAMES, RESULTS = 36, 54, 8, 28, 180, 270  # pixels
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
    figure.add_traces([_marks(recovery, name, drop, tokens) for name in ("before", "teacher", "after")])
    return figure


def _range(recovery: Recovery) -> list[float]:
    """Show what the scores span, not 0 to 100: positions are compared here, not lengths from zero."""
    ends = [100 * cell.mean for name in ("before", "after", "teacher") for _, _, cell in _found(recovery, name)]
    ends += [end for domain in recovery.domains for end in (_whisker(domain) or ())]
    return [round(max(-2.0, min(ends) - 3), 1), round(min(102.0, max(ends) + 3), 1)] if ends else [-2.0, 102.0]


def _add_words(figure: go.Figure, position: int, domain: DomainRecovery, narrow: bool, tokens: Tokens) -> None:
    is_news = domain.fraction is not None and not domain.is_within_noise
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


def _whisker(domain: DomainRecovery) -> Interval | None:
    """Place the interval of the recovered fraction on the way from before (0 %) to the teacher (100 %)."""
    if domain.interval is None or domain.before is None or domain.teacher is None:
        return None
    start, gap = 100 * domain.before.mean, 100 * (domain.teacher.mean - domain.before.mean)
    return round(start + domain.interval[0] * gap, 2), round(start + domain.interval[1] * gap, 2)


def _whiskers(recovery: Recovery, tokens: Tokens) -> dict[str, object]:
    found = [(100 * cell.mean, _whisker(domain)) for _, domain, cell in _found(recovery, "after")]
    return {
        "type": "data",
        "symmetric": False,
        "array": [round(whisker[1] - at, 2) if whisker else 0 for at, whisker in found],
        "arrayminus": [round(at - whisker[0], 2) if whisker else 0 for at, whisker in found],
        "color": tokens.line,
        "thickness": 1.25,
        "width": 4,
    }


def _marks(recovery: Recovery, name: str, drop: float, tokens: Tokens) -> go.Scatter:
    found = _found(recovery, name)
    hues = [_hue(domain, tokens) if name == "after" else tokens.line for _, domain, _ in found]
    return go.Scatter(
        mode="markers",
        name=name,
        x=[round(100 * cell.mean, 2) for *_, cell in found],
        y=[round(position + drop, 2) for position, *_ in found],
        marker=_marker(name, hues, tokens),
        error_x=_whiskers(recovery, tokens) if name == "after" else None,
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
    return tokens.mopd if domain.fraction is not None and not domain.is_within_noise else tokens.sft

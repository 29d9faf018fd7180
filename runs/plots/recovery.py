"""What a MOPD stage won back: per domain from before (hollow) to after (violet), with the teacher as a tick.

The whisker is the interval of the recovered fraction, laid on the way to the teacher. Whiskers of the three scores
would mislead: they answer the same problems, so their differences are known far better than each of them.
"""

import plotly.graph_objects as go

from runs.drift import DomainRecovery, Interval, Recovery, ScoreCell, words
from runs.plots.theme import TOKENS, Part, Theme, Tokens, faint, make_figure, quiet_axis

ROW, NARROW_ROW, TOP, BOTTOM, NAMES, RESULTS = 36, 54, 8, 28, 180, 270  # pixels
Mark = tuple[int, DomainRecovery, ScoreCell]  # position, domain, score


def recovery_bars(recovery: Recovery, *, narrow: bool = False, theme: Theme = "light") -> go.Figure:
    """Draw a line per domain; where nothing was lost it is grey and says why.

    narrow: names and results above each line instead of beside it, for a phone.
    """
    tokens, domains = TOKENS[theme], recovery.domains
    sides = {"l": 8, "r": 12} if narrow else {"l": NAMES, "r": RESULTS}
    height = TOP + BOTTOM + (NARROW_ROW if narrow else ROW) * max(1, len(domains))
    layout = {
        "margin": {"t": TOP, "b": BOTTOM, **sides},
        "xaxis": quiet_axis(tokens, range=_range(recovery), dtick=10),
        "yaxis": quiet_axis(tokens, range=[len(domains) - 0.5, -0.5], showgrid=False, showticklabels=False),
    }
    drop = 0.2 if narrow else 0.0  # the line moves down to make room for the words above it
    notes = [note for position, domain in enumerate(domains) for note in _words(position, domain, narrow, tokens)]
    shapes = [line for position, domain in enumerate(domains) for line in _way(position + drop, domain, tokens)]
    data = [_marks(recovery, name, drop, tokens) for name in ("before", "teacher", "after")]
    return make_figure(tokens, height=height, data=data, shapes=shapes, notes=notes, layout=layout)


def _range(recovery: Recovery) -> list[float]:
    """Show what the scores span, not 0 to 100: positions are compared here, not lengths from zero."""
    ends = [100 * cell.mean for name in ("before", "after", "teacher") for _, _, cell in _found(recovery, name)]
    ends += [end for domain in recovery.domains for end in (_whisker(domain) or ())]
    return [round(max(-2.0, min(ends) - 3), 1), round(min(102.0, max(ends) + 3), 1)] if ends else [-2.0, 102.0]


def _words(position: int, domain: DomainRecovery, narrow: bool, tokens: Tokens) -> list[Part]:
    is_news = domain.fraction is not None and not domain.is_within_noise
    if domain.fraction is None:
        result = domain.reason
    else:
        noise = "" if is_news else "within noise"
        result = words.joined(words.percent(domain.fraction), words.percent_interval(domain.interval), noise)
    name, colour = f"<b>{domain.title}</b>", tokens.text if is_news else tokens.muted
    common: Part = {"xref": "paper", "y": position, "align": "left"}
    if narrow:
        text = f"{name}  <span style='color:{colour}'>{result}</span>"
        return [{**common, "text": text, "x": 0, "xanchor": "left", "yanchor": "bottom", "yshift": 4}]
    return [
        {**common, "text": name, "x": 0, "xanchor": "right", "xshift": -12},
        {**common, "text": result, "x": 1, "xanchor": "left", "xshift": 12, "font": {"color": colour}},
    ]


def _way(y: float, domain: DomainRecovery, tokens: Tokens) -> list[Part]:
    """Draw the gap to the teacher as a hairline and the way that was gone as a bar."""
    if domain.before is None:
        return []
    start = round(100 * domain.before.mean, 2)
    ends = ((domain.teacher, tokens.hairline), (domain.after, faint(_hue(domain, tokens), 0.5)))
    common: Part = {"type": "line", "x0": start, "y0": y, "y1": y, "layer": "below"}
    return [
        {**common, "x1": round(100 * cell.mean, 2), "line": {"color": colour, "width": 5}}
        for cell, colour in ends
        if cell
    ]


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


def _whiskers(recovery: Recovery, tokens: Tokens) -> Part:
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


def _marks(recovery: Recovery, name: str, drop: float, tokens: Tokens) -> Part:
    found = _found(recovery, name)
    hues = [_hue(domain, tokens) if name == "after" else tokens.line for _, domain, _ in found]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [round(100 * cell.mean, 2) for *_, cell in found],
        "y": [round(position + drop, 2) for position, *_ in found],
        "marker": _marker(name, hues, tokens),
        "error_x": _whiskers(recovery, tokens) if name == "after" else None,
        "customdata": [[domain.title, words.cell(cell), cell.row] for _, domain, cell in found],
        "hovertemplate": "<b>%{customdata[0]}</b> · %{fullData.name}<br>%{customdata[1]}<extra></extra>",
    }


def _marker(name: str, hues: list[str], tokens: Tokens) -> Part:
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

"""The colours, lines and type of every picture: two sets of the same names.

Colour carries meaning only. A stage kind has one hue everywhere: SFT grey, MOPD violet, GRPO the hue of the domain it
trains (a stage that trains several is slate); they are those of the stylesheet. Gains are blue and losses orange, which colour-blind eyes tell apart;
between them lies the ground, so that noise is no colour at all. Grounds are transparent: the page's shows through.
"""

from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from runs.drift import Kind
from workers.catalogue import DOMAINS

Theme = Literal["light", "dark"]
Part = dict[str, Any]  # a trace, a shape, a note or an axis, in Plotly's own terms
FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Noto Sans', Ubuntu, Cantarell, 'Liberation Sans', Arial, sans-serif"  # --sans of the stylesheet


@dataclass(frozen=True)
class Tokens:
    """One theme's colours; `domains` are the hues of the catalogue's domains, in its order."""

    ground: str
    text: str
    muted: str  # second-rank text, noise
    line: str  # data without a hue of its own
    hairline: str
    sft: str
    mopd: str
    mixed: str
    domains: tuple[str, ...]
    gain: str
    loss: str
    accent: str
    low: str  # sequential scale of scores
    high: str
    on_high: str  # text on the far end of a scale


LIGHT = Tokens(
    ground="#ffffff",
    text="#1c2126",
    muted="#6b7480",
    line="#7d8793",
    hairline="#e3e6ea",
    sft="#7b8087",
    mopd="#7446c0",
    mixed="#3f454d",
    domains=("#2c6fbb", "#0f8577", "#a86f00", "#c04372", "#b84a26", "#55801a", "#0d86a8", "#866043"),
    gain="#1f6fb4",
    loss="#d1680f",
    accent="#1f5fbf",
    low="#f7fafc",
    high="#2f7f86",
    on_high="#ffffff",
)
DARK = Tokens(
    ground="#15181c",
    text="#e6e9ed",
    muted="#929ca8",
    line="#8c96a2",
    hairline="#2b3138",
    sft="#8f959d",
    mopd="#b08df0",
    mixed="#c3c8cf",
    domains=("#6aa6e8", "#4fbfb0", "#dba63a", "#ea86aa", "#ee8f6b", "#9cc55a", "#56bfe0", "#c49b7b"),
    gain="#4b9be0",
    loss="#ec8b3a",
    accent="#6fa5f2",
    low="#191d22",
    high="#3f9aa2",
    on_high="#0d1114",
)
TOKENS: dict[Theme, Tokens] = {"light": LIGHT, "dark": DARK}

CLEAR = "rgba(0,0,0,0)"
MARKERS: dict[Kind, str] = {"base": "circle-open", "sft": "circle", "grpo": "diamond", "mopd": "circle-open-dot"}


def stage_colour(kind: Kind, trained: tuple[str, ...], domains: tuple[str, ...], tokens: Tokens) -> str:
    """Pick the hue of a stage; `domains` are all the domains there are, in their order."""
    if kind == "mopd":
        return tokens.mopd
    if kind != "grpo":
        return tokens.sft
    return domain_colour(trained[0], domains, tokens) if len(trained) == 1 else tokens.mixed


def domain_colour(domain: str, domains: tuple[str, ...], tokens: Tokens) -> str:
    """A domain of the catalogue has its own hue, whatever else is shown; others take theirs in the order given."""
    order = tuple(DOMAINS) if domain in DOMAINS else domains
    return tokens.domains[order.index(domain) % len(tokens.domains)] if domain in order else tokens.mixed


def faint(colour: str, share: float) -> str:
    """Make a #rrggbb colour transparent."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def between(low: str, high: str, share: float) -> str:
    """Mix two #rrggbb colours: 0 is `low`, 1 is `high`."""
    share = min(1.0, max(0.0, share))
    pairs = [(int(low[at : at + 2], 16), int(high[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def readable_on(ground: str, tokens: Tokens) -> str:
    """Pick the text colour with the better contrast (WCAG 2) on a #rrggbb ground."""
    return max((tokens.text, tokens.on_high), key=lambda text: _contrast(ground, text))


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def clipped(title: str, length: int) -> str:
    """Cut a title that would not fit beside a picture; the whole of it is in the hover."""
    return title if len(title) <= length else title[: length - 1].rstrip() + "…"


def make_figure(
    tokens: Tokens, *, height: int, data: list[Part], shapes: list[Part], notes: list[Part], layout: Part
) -> go.Figure:
    """Make a figure in our type and colours, without Plotly's template.

    All parts are handed over at once: a figure that grows by `add_shape` validates itself anew each time, and takes ten times as long.
    """
    font = {"family": FONT, "size": 12, "color": tokens.text}
    ours: Part = {
        "template": go.layout.Template(),
        "height": height,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": font,
        "hoverlabel": {"bgcolor": tokens.ground, "bordercolor": tokens.hairline, "font": font, "align": "left"},
        "hovermode": "closest",
        "showlegend": False,
        "dragmode": False,
        "shapes": shapes,
        "annotations": [{"showarrow": False, **note} for note in notes],
    }
    return go.Figure(data=data, layout={**ours, **layout})


def quiet_axis(tokens: Tokens, **settings: Any) -> Part:
    """Describe an axis of hairlines and muted numbers."""
    return {
        "showline": False,
        "zeroline": False,
        "gridcolor": tokens.hairline,
        "gridwidth": 1,
        "ticks": "",
        "tickfont": {"size": 11, "color": tokens.muted},
        "fixedrange": True,
        **settings,
    }

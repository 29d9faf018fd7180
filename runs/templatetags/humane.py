"""Numbers and times as people say them: "3 m 52 s", "2.1 M", "4 m ago". The exact value belongs on hover."""

from datetime import datetime

from django import template
from django.utils import timezone

from workers.catalogue import describe
from workers.estimate import StageEstimate, gib
from workers.load import Range

register = template.Library()

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@register.filter
def duration(seconds: float | None) -> str:
    """Say a length of time in its two largest units; a dash where there is none."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for size, unit, part, part_unit in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "m"), (_MINUTE, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {part_unit}" if rest else "")
    return f"{whole} s"


@register.filter
def count(number: float | None) -> str:
    """Say how many with three digits at most: 412, 1.2 k, 21 k, 2.1 M."""
    if number is None:
        return "–"
    for size, letter in _SCALES:
        scaled = number / size
        if scaled >= 0.9995:
            return f"{scaled:.1f} {letter}" if scaled < 9.95 else f"{scaled:.0f} {letter}"
    return f"{number:.0f}"


@register.filter
def size(n_bytes: float) -> str:
    """Say how large a file is: 412 B, 1.2 kB, 16 GB."""
    text = count(n_bytes)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


@register.filter
def ago(moment: datetime | None) -> str:
    """Say how long ago something was, in its largest unit; a dash where it has not been."""
    if moment is None:
        return "–"
    seconds = (timezone.now() - moment).total_seconds()
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "just now"


@register.filter
def exact(moment: datetime | None) -> str:
    """Write a moment out with its zone, for hover."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}" if moment else ""


@register.filter
def points(share: float | None) -> str:
    """Write a score or a mean of scores, 0 to 1, in points."""
    return "–" if share is None else f"{share * 100:.1f}"


@register.filter
def domain_title(name: str) -> str:
    """Call a domain what a reader calls it; its name belongs in recipes and the API."""
    return describe(name).title


@register.filter
def decimals(value: float | None, places: int = 3) -> str:
    """Write a number with fixed decimals, so that columns line up."""
    return "–" if value is None else f"{value:.{places}f}"


@register.filter
def significant(value: float) -> str:
    """Write a number with three significant digits, whatever its size: 0.0312, 6.63, 1,240."""
    text = f"{value:.3g}"
    return (f"{value:,.0f}" if abs(value) >= 1000 else text).replace("-", "−")


@register.filter
def signed(value: float, places: int = 2) -> str:
    """Write a number with its sign, a real minus, and fixed decimals."""
    return f"{value:+.{places}f}".replace("-", "−")


@register.filter
def gib_range(found: Range) -> str:
    """Say a predicted size with its bounds: 0.6 GiB (0.5 to 0.8)."""
    return f"{gib(found.expected)} ({gib(found.low).split()[0]} to {gib(found.high).split()[0]})"


@register.filter
def duration_range(found: Range) -> str:
    """Say a predicted length of time with its bounds, no more exact than it is: 25 s (10 s to 2 m)."""
    return f"{_rough(found.expected)} ({_rough(found.low)} to {_rough(found.high)})"


@register.filter
def exact_bytes(found: Range) -> str:
    """Write a predicted size out, for hover."""
    return f"{found.expected:,.0f} bytes ({found.low:,.0f} to {found.high:,.0f})"


@register.filter
def exact_seconds(found: Range) -> str:
    """Write a predicted time out, for hover."""
    return f"{found.expected:,.1f} s ({found.low:,.1f} to {found.high:,.1f})"


@register.filter
def terms_in_words(found: StageEstimate) -> str:
    """Say what the expected peak is made of, the largest first, for hover."""
    largest = sorted(found.terms.items(), key=lambda term: -term[1])
    return ", ".join(f"{name} {n_bytes / 2**20:,.0f} MiB" for name, n_bytes in largest)


def _rough(seconds: float) -> str:
    """Say a length of time in whole units, of which there are two at least where there is a smaller one."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

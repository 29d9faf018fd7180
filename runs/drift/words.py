"""How numbers of drift are written, everywhere: points with one decimal, a true minus, intervals in brackets."""

from runs.drift.intervals import Interval
from runs.drift.matrix import ScoreCell


def score(value: float, *, decimals: int = 1) -> str:
    """Write a score in points: 0.713 is 71.3."""
    return _number(100 * value, decimals, plus=False)


def change(value: float, *, decimals: int = 1) -> str:
    """Write a change in points, with its sign: -0.063 is −6.3."""
    return _number(100 * value, decimals, plus=True)


def cell(found: ScoreCell) -> str:
    """Write a score with its interval and number of problems: 71.3 [65.5, 76.4] n 256."""
    return joined(score(found.mean), score_interval(found.interval), f"n {found.n}" if found.n else "")


def percent(value: float) -> str:
    """Write a fraction in whole per cent: 0.923 is 92 %."""
    return f"{_number(100 * value, 0, plus=False)} %"


def score_interval(interval: Interval | None) -> str:
    """Write an interval of a score: [65.5, 76.4]; empty where there is none."""
    return f"[{score(interval[0])}, {score(interval[1])}]" if interval else ""


def change_interval(interval: Interval | None) -> str:
    """Write an interval of a change: [−10.1, −2.4]; empty where there is none."""
    return f"[{change(interval[0])}, {change(interval[1])}]" if interval else ""


def percent_interval(interval: Interval | None) -> str:
    """Write an interval of a fraction in per cent: [70, 115]; empty where there is none."""
    return (
        f"[{_number(100 * interval[0], 0, plus=False)}, {_number(100 * interval[1], 0, plus=False)}]"
        if interval
        else ""
    )


def joined(*parts: str) -> str:
    """Join the parts that are not empty with spaces."""
    return " ".join(part for part in parts if part)


def listed(names: list[str]) -> str:
    """Write names as a sentence does: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def in_sentence(title: str) -> str:
    """Write a title as it stands inside a sentence: 'Tool calling' loses its capital; 'STEM' and 'ArenaHard' are names."""
    return title[:1].lower() + title[1:] if title[1:] == title[1:].lower() else title


def _number(value: float, decimals: int, *, plus: bool) -> str:
    text = f"{value:+.{decimals}f}" if plus else f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")  # no signed zero
    return text.replace("-", "−")

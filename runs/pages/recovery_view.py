"""What a MOPD stage won back, as the drift page shows it: a sentence, a picture and a table."""

from typing import Any

from runs.drift import words
from runs.drift.matrix import ScoreCell
from runs.drift.recovery import DomainRecovery, Recovery
from runs.models import Run
from runs.pages.drift_figures import figure_url


def recovery_view(found: Recovery, run: Run) -> dict[str, Any]:
    """A MOPD stage's recovery as sentence, picture and table."""
    return {
        "row": found.row,
        "figure": f"recovery-{found.row}",
        "plot": f"bars-{found.row}",
        "text": ""
        if found.fraction is None
        else words.joined(words.percent(found.fraction), words.percent_interval(found.interval)),
        "reason": found.reason,
        "url": figure_url(run, f"recovery-{found.row}"),
        "height": 36 + 36 * len(found.domains),
        "narrow_height": 36 + 54 * len(found.domains),
        "lines": [_recovery_line(domain) for domain in found.domains],
    }


def _recovery_line(domain: DomainRecovery) -> dict[str, str]:
    def level(cell: ScoreCell | None) -> str:
        return words.score(cell.mean) if cell else "–"

    fraction = (
        ""
        if domain.fraction is None
        else words.joined(words.percent(domain.fraction), words.percent_interval(domain.interval))
    )
    return {
        "title": domain.title,
        "teacher": domain.teacher_row or "",
        "before": level(domain.before),
        "after": level(domain.after),
        "level": level(domain.teacher),
        "fraction": fraction,
        "reason": domain.reason,
    }

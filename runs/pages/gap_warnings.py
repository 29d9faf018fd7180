"""Warnings on a run's page: trainer and engine give the same tokens different probabilities."""

from django.db.models import F, Max, Min

from runs.models import Metric, Run

LAST_STEPS = 10
MEAN_OFF_BY = (
    0.01  # NeMo RL: a drift beyond 1 to 2 % means that the engine has other weights or computes them otherwise
)
LARGEST = 2.0  # C2 Eq. 3 masks tokens beyond it
_ADVICE = (
    "Check that the engine gets the weights of every step, and computes them in the trainer's precision and at its "
    "temperature; a lower learning rate mends nothing here."
)


def gap_warnings(run: Run) -> list[str]:
    """Say of each stage whose last steps show a gap between trainer and engine how large it is and what to check."""
    ranges: dict[str, dict[str, tuple[float, float]]] = {}
    found = (
        Metric.objects.filter(stage__run=run, name__in=("ratio_mean", "ratio_max"))
        .filter(step__gt=F("stage__step") - LAST_STEPS)
        .order_by("stage__position")
        .values_list("stage__name", "name")
        .annotate(least=Min("value"), most=Max("value"))
    )
    for stage, name, least, most in found:
        ranges.setdefault(stage, {})[name] = (least, most)
    words = {
        stage: _words(*of.get("ratio_mean", (1.0, 1.0)), of.get("ratio_max", (1.0, 1.0))[1])
        for stage, of in ranges.items()
    }
    return [f"{stage}: {said} {_ADVICE}" for stage, said in words.items() if said]


def _words(least: float, most: float, largest: float) -> str:
    """Say what is beyond the limits; empty where nothing is. Tells of the mean that is farthest from 1."""
    found = []
    mean = max(least, most, key=lambda value: abs(value - 1))
    if abs(mean - 1) > MEAN_OFF_BY:
        found.append(f"of {mean:.3f} on average, where {1 - MEAN_OFF_BY:g} to {1 + MEAN_OFF_BY:g} is expected")
    if largest > LARGEST:
        found.append(f"of up to {largest:.3g}, where at most {LARGEST:g} is expected")
    if not found:
        return ""
    return f"in the last {LAST_STEPS} steps trainer and engine gave tokens probabilities with a ratio {' and '.join(found)}."

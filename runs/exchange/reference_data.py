"""Published benchmarks and results, to be read beside a run's own scores and never among them.

Two YAML files in `reference/` hold what the papers say, with the place it was said. Nothing of it becomes a Score: no mean,
verdict, teacher or test can see it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runs.exchange.published import read_sample

_FOLDER = Path(__file__).parent / "reference"
POINTS = "points"


@dataclass(frozen=True)
class Source:
    """Where something was published."""

    key: str
    title: str
    paper: str
    place: str

    def __str__(self) -> str:
        return f"{self.title}, {self.paper}, {self.place}"


@dataclass(frozen=True)
class PublishedBenchmark:
    """A benchmark as a paper scores it; an empty text or None is what the paper does not say."""

    name: str
    category: str
    source: Source
    metric: str = ""
    decoding: str = ""
    items: int | None = None
    unit: str = POINTS

    @property
    def protocol(self) -> str:
        """How it is scored, in words."""
        n_items = f"{self.items:,} problems" if self.items else ""
        return "; ".join(part for part in (self.metric, n_items, self.decoding) if part) or "not said how"


@dataclass(frozen=True)
class PublishedResult:
    """A score of one model; `with_tools` the same with a Python executor, `is_again` measured by others than the model's authors."""

    value: float
    with_tools: float | None = None
    is_again: bool = False


@dataclass(frozen=True)
class PublishedModel:
    """A model with its results by benchmark; `is_own`: of the papers whose method this is, and so shown unless chosen otherwise."""

    name: str
    label: str  # short, for lines
    source: Source
    results: dict[str, PublishedResult]
    is_own: bool = False
    sample: str = ""  # whose last stage it is

    def mean_of(self, benchmarks: tuple[str, ...]) -> float | None:
        """The mean over benchmarks in points; None where it lacks one or counts it otherwise."""
        known = published_benchmarks()
        values = [
            self.results[name].value for name in benchmarks if name in self.results and known[name].unit == POINTS
        ]
        return sum(values) / len(values) if values and len(values) == len(benchmarks) else None


@cache
def published_benchmarks() -> dict[str, PublishedBenchmark]:
    """The benchmarks by name, in the order of their categories."""
    data, sources = _read("benchmarks"), _sources()
    return {
        about["name"]: PublishedBenchmark(**{**about, "source": sources[about["source"]]})
        for about in data["benchmarks"]
    }


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """The models, in the order in which they are shown."""
    return tuple(_model(about) for about in _read("results")["models"])


def _model(about: dict[str, Any]) -> PublishedModel:
    scores = {**_last_stage(about["sample"]), **about["scores"]} if "sample" in about else about["scores"]
    tools, again = about.get("tools", {}), about.get("again", ())
    results = {name: PublishedResult(float(value), tools.get(name), name in again) for name, value in scores.items()}
    named = {key: about[key] for key in ("name", "label", "is_own", "sample") if key in about}
    return PublishedModel(source=_sources()[about["source"]], results=results, **named)


def _last_stage(sample: str) -> dict[str, float]:
    read = read_sample(sample)
    return dict(zip(read["benchmarks"], list(read["scores"].values())[-1], strict=True))


def _sources() -> dict[str, Source]:
    return {key: Source(key, **about) for key, about in _read("benchmarks")["sources"].items()}


def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text())
    return loaded

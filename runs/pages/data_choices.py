"""The project's data sets in the composer: as domains, as benchmarks, and in the version that a recipe pins."""

from collections.abc import Mapping
from typing import Any

from runs.models import DataSet
from runs.pages.form_fields import FormField, Problems
from runs.pins import sizes_for
from workers.spec import BenchmarkSpec

Versions = Mapping[str, list[DataSet]]  # by name, newest first
_FEWEST = next(limit.ge for limit in BenchmarkSpec.model_fields["n_problems"].metadata if hasattr(limit, "ge"))


def trainable(data_sets: Versions) -> list[str]:
    """Name those that stages can train on."""
    return [name for name, versions in data_sets.items() if versions[0].facts.splits.get("train")]


def benchmarks_on(data_sets: Versions) -> list[dict[str, Any]]:
    """A benchmark for each that has problems enough."""
    sizes = {name: sizes_for(versions[0]) for name, versions in data_sets.items()}
    return [{"domain": name, **found} for name, found in sizes.items() if min(found.values()) >= _FEWEST]


def version_fields(document: Mapping[str, Any], data_sets: Versions, problems: Problems) -> list[FormField]:
    """A pick of a version for every data set that the document pins."""
    pins = document.get("data_sets") or {}
    return [_version_field(name, pins[name], data_sets.get(name, []), problems) for name in pins]


def _version_field(name: str, pin: Any, versions: list[DataSet], problems: Problems) -> FormField:
    path, digest = f"data_sets.{name}", str(pin.get("digest", "")) if isinstance(pin, dict) else ""
    choices = [(data_set.digest, f"v{data_set.version}, {data_set.facts.n_rows:,} rows") for data_set in versions]
    if digest not in [known for known, _ in choices]:
        choices.append((digest, f"{digest[:12]}: not in this project"))
    return FormField(f"{path}.digest", name, "choice", digest, tuple(choices), error=problems.within(path))


def pins_from(post: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Read the versions that a form pins."""
    found = {name: value for name, value in post.items() if name.startswith("data_sets.") and name.endswith(".digest")}
    return {name[len("data_sets.") : -len(".digest")]: {"digest": value} for name, value in found.items()}

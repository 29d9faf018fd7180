"""A recipe's settings one by one, and those in which recipes differ. Pages put the values into words, the API has them plain."""

from collections.abc import Iterator, Sequence
from typing import Any

from runs.models import Run

Key = tuple[str, str]  # where it stands and what it is called; the second is empty for a stage or benchmark as a whole


class _Absent:
    """The value of a setting that a recipe does not have; none is a value of its own."""


ABSENT = _Absent()


def settings_of(document: dict[str, Any]) -> Iterator[tuple[Key, Any]]:
    """List a recipe's settings; a stage, benchmark, data set or gate has a line for the whole of it, in words."""
    for name, value in document.items():
        if name == "stages":
            for stage in value:
                yield (f"stage {stage['name']}", ""), f"{stage['kind'].upper()}, {stage['steps']:,} steps"
                yield from flat_settings(f"stage {stage['name']}", stage)
        elif name == "benchmarks":
            for benchmark in value:
                yield (f"benchmark {benchmark['domain']}", ""), _benchmark_words(benchmark)
                yield from flat_settings(f"benchmark {benchmark['domain']}", benchmark)
        elif name == "gates":
            for number, gate in enumerate(value, 1):
                yield (f"gate {number}", ""), f"then {gate['then']}"
                yield from flat_settings(f"gate {number}", gate)
        elif name == "model":
            yield from flat_settings("model", value)
        elif name == "data_sets":
            for data_set, pin in value.items():
                yield (f"data set {data_set}", ""), f"version {pin['digest'][:12]}"
                yield from flat_settings(f"data set {data_set}", pin)
        else:
            yield ("recipe", name), value


def _benchmark_words(benchmark: dict[str, Any]) -> str:
    if "task" in benchmark:
        return f"task {benchmark['task']}"
    return f"{benchmark['n_problems']:,} problems"


def flat_settings(where: str, settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[Key, Any]]:
    """List the settings of one place; those of a group have its name before theirs: lora.rank."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from flat_settings(where, value, f"{prefix}{name}.")
        else:
            yield (where, f"{prefix}{name}"), value


def differing_settings(runs: Sequence[Run]) -> list[tuple[Key, list[Any]]]:
    """List the settings in which any of the runs differ, with each run's value or ABSENT.

    A stage or benchmark that some runs do not have is one line, and its summary no line where all have it.
    """
    # What was published says of its benchmarks other things than a recipe does.
    documents = [dict(settings_of((run.recipe if run.published else run).document)) for run in runs]
    keys = dict.fromkeys(key for document in documents for key in document)
    partly = {where for where, setting in keys if setting == "" and any((where, "") not in d for d in documents)}
    rows = [
        (key, [document.get(key, ABSENT) for document in documents])
        for key in keys
        if (key[1] == "") == (key[0] in partly)
    ]
    return [(key, values) for key, values in rows if any(value != values[0] for value in values)]

"""What the YAML of a task folder may not hold unless the operator allows its code: anything the harness would run, or read elsewhere.

The harness obeys `!function` wherever it stands, imports metrics by name, and takes settings from groups, includes and files
that lie among the documents. So every file is held against this, not only what seems to be the task.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from workers.task_measure import OVER_ALL, PER_DOCUMENT, dicts_in, filters_of, metrics_of
from workers.task_spec import TaskError

ALLOW_CODE = "ALLOW_TASK_CODE"
DEEPEST = 8  # groups within groups, and includes of includes
_BUILDERS = ("json", "csv", "parquet", "text", "arrow")  # of `datasets`; others read pickles, which are code
_DATA_KEYS = ("data_files", "data_dir", "field", "delimiter", "sep", "column_names", "encoding", "trust_remote_code")
_DATA_SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".txt", ".gz")
_FILTERS = (
    "regex", "regex_pos", "remove_whitespace", "multi_choice_regex", "take_first", "take_first_k", "majority_vote",
    "lowercase", "uppercase", "map", "format_span",
)  # fmt: skip


def refuse_code(folder: Path, configs: Mapping[Path, dict[str, Any]]) -> None:
    """Refuse code and ways out of a folder in any of its files: which file, key and level the harness reads is its own affair.

    configs: each YAML file of the folder, read as plain data. Raises TaskError.
    """
    _refuse_python_files(folder)
    _refuse_two_of_a_name(configs.values())
    for path, config in configs.items():
        name = name_of(config) or path.stem
        for part in _parts(config):
            refuse_code_in(name, part)
            _check_places(name, {"dataset_path": "json", **part}, folder)


def refuse_tags(where: Path, text: bytes) -> None:
    """Refuse any tag but YAML's own, wherever it stands: the harness obeys `!function` even where another key hides it."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        tag = getattr(event, "tag", None)
        if tag and tag != "!" and not tag.startswith("tag:yaml.org,2002:"):
            value = getattr(event, "value", "")
            raise _code(f"{tag[:40]} {str(value)[:80]} in {where}")
        if isinstance(event, yaml.AliasEvent):
            raise TaskError(
                "task_folder", f"found the alias *{str(event.anchor)[:40]} in {where}, expected none; write it out"
            )


def refuse_code_in(task: str, config: dict[str, Any]) -> None:
    """Refuse the settings of a task by which the harness would run code."""
    for key in ("class", "custom_dataset", "use_prompt", "unsafe_code"):
        if config.get(key):
            raise _code(f"{key} of task '{task}'")
    for entry in metrics_of(config):
        name = entry.get("metric")
        if entry.get("hf_evaluate") or name not in (*PER_DOCUMENT, *OVER_ALL):
            raise _code(f"the metric {str(name)[:80]} of task '{task}', which the harness would have to load")
    for entry in filters_of(config):
        for step in dicts_in(entry.get("filter")):
            if step.get("function") not in _FILTERS:
                raise _code(f"the filter {str(step.get('function'))[:80]} of task '{task}'")


def check_data(task: str, config: dict[str, Any], folder: Path) -> None:
    """See that documents come from the folder itself, or from a data set that goes by a name of the hub's."""
    path, kwargs = config.get("dataset_path"), config.get("dataset_kwargs") or {}
    if not isinstance(path, str) or not isinstance(kwargs, dict):
        raise TaskError(
            "task_folder", f"found no dataset_path in task '{task}', expected where its documents are; add it"
        )
    _check_places(task, config, folder)


def _check_places(task: str, config: dict[str, Any], folder: Path) -> None:
    """See that no path leads out of the folder, and that a folder of documents holds nothing else."""
    path, kwargs = config.get("dataset_path"), config.get("dataset_kwargs") or {}
    path, kwargs = (path if isinstance(path, str) else ""), (kwargs if isinstance(kwargs, dict) else {})
    if unknown := [key for key in kwargs if key not in _DATA_KEYS]:
        raise TaskError(
            "task_folder",
            f"found dataset_kwargs {unknown[0]} in task '{task}', expected no more than: {', '.join(_DATA_KEYS)}; drop it",
        )
    for place in [path, *_texts(kwargs.get("data_files")), *_texts(kwargs.get("data_dir"))]:
        if place.startswith(("/", "~")) or ".." in Path(place).parts or "://" in place or "::" in place:
            raise TaskError(
                "task_folder",
                f"task '{task}' reads '{place[:200]}', expected a path inside its folder; copy the documents there",
            )
    if path and is_folder(folder / path):
        odd = next(
            (
                p
                for p in sorted((folder / path).rglob("*"))
                if p.is_file() and (p.suffix not in _DATA_SUFFIXES or p.name == "dataset_infos.json")
            ),
            None,
        )
        if odd is not None:
            raise TaskError(
                "task_folder",
                f"found {odd.name} among the documents of task '{task}', expected only {', '.join(_DATA_SUFFIXES)}",
            )
    elif path not in _BUILDERS and kwargs.get("data_files"):
        raise TaskError(
            "task_folder",
            f"found dataset_path '{path[:80]}' with data_files in task '{task}', expected one of: {', '.join(_BUILDERS)}",
        )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for held in value.values() if isinstance(value, dict) else value:
            yield from _texts(held)


def name_of(config: dict[str, Any]) -> str:
    """What a file calls its group or task; empty where it is neither."""
    name = config.get("group", config.get("task"))
    return name if isinstance(name, str) else ""


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name longer than any can be is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _refuse_python_files(folder: Path) -> None:
    if found := next((path for path in sorted(folder.rglob("*")) if path.suffix in (".py", ".so", ".pyc")), None):
        raise _code(f"the file {found.relative_to(folder)}")


def _parts(config: dict[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """A file's settings, and those that a group gives its members."""
    yield config
    if depth < DEEPEST:
        for member in dicts_in(config.get("task")):
            yield from _parts(member, depth + 1)


def _refuse_two_of_a_name(configs: Collection[dict[str, Any]]) -> None:
    """Of two of a name the harness takes the one, and this check might take the other."""
    given = [config.get(key) for config in configs for key in ("task", "group")]
    counts = Counter(name for name in given if isinstance(name, str))
    tags = {str(tag) for config in configs for tag in _tags(config)}
    if found := next((name for name, n in counts.items() if n > 1 or name in tags), None):
        raise TaskError(
            "task_folder", f"found '{found[:80]}' twice as the name of a task, group or tag, expected once; rename one"
        )


def _tags(config: dict[str, Any]) -> list[Any]:
    given = config.get("tag") or []
    return given if isinstance(given, list) else [given]


def _code(what: str) -> TaskError:
    return TaskError(
        "task_folder",
        f"found {what}, which is code that the worker would run as itself; take it out, or have the operator set "
        f"{ALLOW_CODE}=true where every author of a task may be trusted like the operator",
    )

"""Tasks of the lm-evaluation-harness on disk: which there are, and whether a folder's may be asked here.

A task is YAML that may name Python (`!function`, `class`), metrics and data sets that are code or lie elsewhere, and a score
that no single document has. All of that is found by reading the YAML as plain data, without the harness and without
running anything; the harness gets the folder only afterwards. Where an operator allows code, only what could not be
scored is refused.

Not checked: what the documents hold, and what somebody who may write into the folder changes between check and use.
"""

import importlib.util
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from workers.task_spec import TaskBenchmarkSpec

ALLOW_CODE = "ALLOW_TASK_CODE"
PER_DOCUMENT = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match")  # the harness's own, 0 or 1 each
_OVER_ALL = {
    **dict.fromkeys(
        ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "likelihood"), "has no upper end"
    ),
    **dict.fromkeys(("f1", "mcc", "bleu", "chrf", "chrf++", "ter"), "is of all documents together"),
    "brier_score": "is better the lower it is",
    "bypass": "measures nothing",
}
_DEFAULT_METRICS = {
    "multiple_choice": ("acc", "acc_norm"),
    "generate_until": ("exact_match",),
    "loglikelihood": ("perplexity", "acc"),
}
_BUILDERS = ("json", "csv", "parquet", "text", "arrow")  # of `datasets`; others read pickles, which are code
_DATA_KEYS = ("data_files", "data_dir", "field", "delimiter", "sep", "column_names", "encoding", "trust_remote_code")
_DATA_SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".txt", ".gz")
_FILTERS = (
    "regex", "regex_pos", "remove_whitespace", "multi_choice_regex", "take_first", "take_first_k", "majority_vote",
    "lowercase", "uppercase", "map", "format_span",
)  # fmt: skip
_MOST_FILES, _MOST_BYTES, _DEEPEST = 2000, 1_000_000, 8


class TaskError(ValueError):
    """A task cannot be asked here; `field` is the setting to change."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


class _Code(str):
    """Python that a YAML file names with `!function`; never imported here."""


# Folders --------------------------------------------------------------------------------------------------------


def allowed_folder(given: str, roots: Sequence[Path]) -> Path:
    """Find a task folder below one of the roots; raises TaskError, which tells nothing of elsewhere."""
    if not roots:
        raise TaskError(
            "task_folder",
            f"found task folder '{given[:200]}', and this server reads none; have TASKS_DIRS name the folders that may be read",
        )
    for root in roots:
        path = root / given.replace("\0", "\N{SYMBOL FOR NULL}")
        if ".." in path.parts or not path.is_relative_to(root) or not _is_folder(path):
            continue
        on_the_way = [path, *path.parents]
        linked = [part for part in on_the_way[: on_the_way.index(root)] if part.is_symlink()]
        if found := next((part for part in (*linked, *path.rglob("*")) if part.is_symlink()), None):
            raise TaskError(
                "task_folder",
                f"found the symbolic link {found.name} on the way to '{given[:200]}' or in it, expected none; copy what it leads to",
            )
        return path
    known = ", ".join(str(root) for root in roots)
    raise TaskError("task_folder", f"found no folder '{given[:200]}' without '..' below: {known}; check its spelling")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name longer than there can be
        return False


def check_folder_task(folder: Path, asked: TaskBenchmarkSpec, *, allow_code: bool) -> None:
    """Read a folder's YAML and see that its task can be asked; raises TaskError that says why not."""
    configs = dict(_read_all(folder, allow_code=allow_code))
    if not allow_code:
        _refuse_python_files(folder)
        _refuse_two_of_a_name(configs.values())
        for path, config in configs.items():
            for part in _parts(config):  # whichever file and level the harness takes a setting from
                name = _name_of(config) or path.stem
                _refuse_code(name, part)
                _check_places(name, {"dataset_path": "json", **part}, folder)
    known = {name: _Found(path, config) for path, config in configs.items() if (name := _name_of(config))}
    leaves = list(_leaves(asked.task, known))
    for leaf in leaves:
        config = _with_includes(leaf, folder, configs)
        if not allow_code:
            _refuse_code(leaf.name, config)
            _check_data(leaf.name, config, folder)
        _check_measure(leaf.name, config, asked)


@dataclass(frozen=True)
class _Found:
    path: Path
    config: dict[str, Any]

    @property
    def name(self) -> str:
        return _name_of(self.config)


def _parts(config: dict[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """A file's settings, and those that a group gives its members."""
    yield config
    if depth < _DEEPEST:
        for member in _dicts(config.get("task")):
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


def _read_all(folder: Path, *, allow_code: bool) -> Iterator[tuple[Path, dict[str, Any]]]:
    paths = sorted(folder.rglob("*.yaml"))
    if odd := next((path for path in paths if not path.is_file()), None):
        raise TaskError("task_folder", f"found {odd.name}, which is no file; remove it")
    if not paths:
        raise TaskError(
            "task_folder", f"found no .yaml file in '{folder.name}', expected one that names a task; write it"
        )
    if len(paths) > _MOST_FILES:
        raise TaskError(
            "task_folder", f"found {len(paths):,} .yaml files in '{folder.name}', expected at most {_MOST_FILES:,}"
        )
    for path in paths:
        where = path.relative_to(folder)
        if path.stat().st_size > _MOST_BYTES:
            raise TaskError(
                "task_folder", f"found more than {_MOST_BYTES:,} bytes in {where}; keep documents in files of their own"
            )
        try:
            if not allow_code:
                _refuse_tags(where, path.read_bytes())
            config = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - a safe loader, with one tag more
        except TaskError:
            raise
        except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
            said = str(getattr(error, "problem", "") or error)[:200]
            raise TaskError("task_folder", f"{where} is no YAML of a task: {said}; correct it") from None
        if isinstance(config, dict):
            yield path, config


def _refuse_tags(where: Path, text: bytes) -> None:
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


class _Loader(yaml.SafeLoader):
    """Reads plain data; `!function` becomes a mark, and any other tag is an error."""


def _note_code(loader: yaml.SafeLoader, node: yaml.Node) -> _Code:
    return _Code(node.value if isinstance(node, yaml.ScalarNode) else "")


_Loader.add_constructor("!function", _note_code)


def _name_of(config: dict[str, Any]) -> str:
    name = config.get("group", config.get("task"))
    return name if isinstance(name, str) else ""


def _leaves(name: str, known: dict[str, _Found], depth: int = 0) -> Iterator[_Found]:
    """List the tasks of a task or group, with what a group sets for its members."""
    if name not in known or depth > _DEEPEST:
        names = ", ".join(sorted(known)) or "none"
        raise TaskError(
            "task", f"found no task or group '{name}' in its folder, expected one of: {names}; correct the name"
        )
    found = known[name]
    members = found.config.get("task")
    if not isinstance(members, list):
        yield found
        return
    for member in members:
        called = member if isinstance(member, str) else _name_of(member) if isinstance(member, dict) else ""
        for leaf in _leaves(called, known, depth + 1):
            more = (
                {key: value for key, value in member.items() if key not in ("task", "group")}
                if isinstance(member, dict)
                else {}
            )
            yield _Found(leaf.path, {**leaf.config, **more})


def _with_includes(leaf: _Found, folder: Path, configs: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """Join a task with the files that it includes, as the harness does; they have to lie in the same folder."""
    merged: dict[str, Any] = {}
    for path in _included(leaf.path, leaf.config, folder, configs, 0):
        merged |= configs[path]
    return {key: value for key, value in {**merged, **leaf.config}.items() if key != "include"}


def _included(
    path: Path, config: dict[str, Any], folder: Path, configs: dict[Path, dict[str, Any]], depth: int
) -> Iterator[Path]:
    given = config.get("include", [])
    for name in given if isinstance(given, list) else [given]:
        target = Path(os.path.normpath(path.parent / str(name)))
        if target not in configs or depth > _DEEPEST:
            raise TaskError(
                "task_folder", f"{path.name} includes '{name}', expected a .yaml file of the same folder; copy it there"
            )
        yield from _included(target, configs[target], folder, configs, depth + 1)
        yield target


# Code -----------------------------------------------------------------------------------------------------------


def _refuse_python_files(folder: Path) -> None:
    if found := next((path for path in sorted(folder.rglob("*")) if path.suffix in (".py", ".so", ".pyc")), None):
        raise _code(f"the file {found.relative_to(folder)}")


def _refuse_code(task: str, config: dict[str, Any]) -> None:
    if code := next(_marks(config), None):
        raise _code(f"!function {code} of task '{task}'")
    for key in ("class", "custom_dataset", "use_prompt", "unsafe_code"):
        if config.get(key):
            raise _code(f"{key} of task '{task}'")
    for entry in _metrics(config):
        name = entry.get("metric")
        if entry.get("hf_evaluate") or name not in (*PER_DOCUMENT, *_OVER_ALL):
            raise _code(f"the metric {str(name)[:80]} of task '{task}', which the harness would have to load")
    for entry in _filters(config):
        for step in _dicts(entry.get("filter")):
            if step.get("function") not in _FILTERS:
                raise _code(f"the filter {str(step.get('function'))[:80]} of task '{task}'")


def _code(what: str) -> TaskError:
    return TaskError(
        "task_folder",
        f"found {what}, which is code that the worker would run as itself; take it out, or have the operator set "
        f"{ALLOW_CODE}=true where every author of a task may be trusted like the operator",
    )


def _marks(value: object) -> Iterator[str]:
    if isinstance(value, _Code):
        yield value
    elif isinstance(value, dict):
        for held in value.values():
            yield from _marks(held)
    elif isinstance(value, list):
        for held in value:
            yield from _marks(held)


def _check_data(task: str, config: dict[str, Any], folder: Path) -> None:
    """See that documents come from the folder itself, or from a data set that goes by a name of the hub's."""
    path, kwargs = config.get("dataset_path"), config.get("dataset_kwargs") or {}
    if not isinstance(path, str) or not isinstance(kwargs, dict):
        raise TaskError(
            "task_folder", f"found no dataset_path in task '{task}', expected where its documents are; add it"
        )
    if unknown := [key for key in kwargs if key not in _DATA_KEYS]:
        raise TaskError(
            "task_folder",
            f"found dataset_kwargs {unknown[0]} in task '{task}', expected no more than: {', '.join(_DATA_KEYS)}; drop it",
        )
    _check_places(task, config, folder)


def _check_places(task: str, config: dict[str, Any], folder: Path) -> None:
    """See that no path leads out of the folder, and that a folder of documents holds nothing else."""
    path, kwargs = config.get("dataset_path"), config.get("dataset_kwargs") or {}
    path, kwargs = (path if isinstance(path, str) else ""), (kwargs if isinstance(kwargs, dict) else {})
    for place in [path, *_texts(kwargs.get("data_files")), *_texts(kwargs.get("data_dir"))]:
        if place.startswith(("/", "~")) or ".." in Path(place).parts or "://" in place or "::" in place:
            raise TaskError(
                "task_folder",
                f"task '{task}' reads '{place[:200]}', expected a path inside its folder; copy the documents there",
            )
    if path and _is_folder(folder / path):
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


# What is measured -----------------------------------------------------------------------------------------------


def _check_measure(task: str, config: dict[str, Any], asked: TaskBenchmarkSpec) -> None:
    kind = config.get("output_type", "generate_until")
    if kind == "loglikelihood_rolling":
        raise TaskError(
            "task",
            f"task '{task}' measures perplexity (output_type {kind}), which has no upper end; expected a score from 0 to 1 per document",
        )
    known = [str(entry.get("metric")) for entry in _metrics(config)] or list(_DEFAULT_METRICS.get(str(kind), ()))
    metric = asked.metric or (known[0] if known else "")
    if metric not in known:
        raise TaskError(
            "metric", f"found metric '{metric}', and task '{task}' has: {', '.join(known) or 'none'}; pick one of these"
        )
    entry = next((entry for entry in _metrics(config) if entry.get("metric") == metric), {})
    is_own = "process_results" in config  # its own code says what the metric is, whatever the harness calls so
    refuse_measure(
        task, metric, str(entry.get("aggregation", "mean")), entry.get("higher_is_better", True) is True, is_own=is_own
    )
    names = [str(entry.get("name")) for entry in _filters(config)] or ["none"]
    if asked.filter and asked.filter not in names:
        raise TaskError(
            "filter", f"found filter '{asked.filter}', and task '{task}' has: {', '.join(names)}; pick one of these"
        )


def refuse_measure(task: str, metric: str, aggregation: str, is_higher_better: bool, *, is_own: bool) -> None:
    """Raise TaskError where a metric is no number of each document's that is better the higher it is, up to 1."""
    if metric in _OVER_ALL and not (is_own and aggregation == "mean"):
        raise TaskError(
            "metric",
            f"the metric of task '{task}' is {metric}, which {_OVER_ALL[metric]}; expected one that gives each document 0 to 1, "
            f"as {', '.join(PER_DOCUMENT)} do: name it as metric, or add it to metric_list",
        )
    if aggregation not in ("mean", "nanmean") or not is_higher_better:
        raise TaskError(
            "metric",
            f"task '{task}' takes the {aggregation} of {metric}, better the {'higher' if is_higher_better else 'lower'}; expected "
            "the mean, better the higher: choose another metric",
        )


def _metrics(config: dict[str, Any]) -> list[dict[str, Any]]:
    return _dicts(config.get("metric_list"))


def _filters(config: dict[str, Any]) -> list[dict[str, Any]]:
    return _dicts(config.get("filter_list"))


def _dicts(value: object) -> list[dict[str, Any]]:
    return [held for held in value if isinstance(held, dict)] if isinstance(value, list) else []


# What the harness brings along ----------------------------------------------------------------------------------

_DECLARED = re.compile(rb"^(task|group): *[\"']?([\w.:+-]+)[\"']? *(?:#.*)?$", re.MULTILINE)


def check_known_task(name: str) -> None:
    """Raise TaskError where the harness is not installed here or brings no task or group of that name."""
    known = known_tasks()
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, 3)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else "see its list of tasks, or give the task_folder it is in"
        )
        raise TaskError("task", f"found no task '{name}' among those that the harness brings along; {hint}")


@lru_cache(maxsize=1)
def known_tasks() -> frozenset[str]:
    """Name the tasks and groups of the harness that is installed, read from its files; nothing of it is imported."""
    found = importlib.util.find_spec("lm_eval")
    if found is None or not found.submodule_search_locations:
        raise TaskError(
            "task",
            "found no lm-evaluation-harness here, which asks this; install requirements-lm-eval.txt, then try again",
        )
    names: set[str] = set()
    for path in (Path(found.submodule_search_locations[0]) / "tasks").rglob("*.yaml"):
        names.update(name.decode() for _, name in _DECLARED.findall(path.read_bytes()))
    return frozenset(names)

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from workers.task_code import DEEPEST, check_data, is_folder, name_of, refuse_code, refuse_code_in, refuse_tags
from workers.task_measure import check_measure
from workers.task_spec import TaskBenchmarkSpec, TaskError

_MOST_FILES, _MOST_BYTES = 2000, 1_000_000


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
        if ".." in path.parts or not path.is_relative_to(root) or not is_folder(path):
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


def check_folder_task(folder: Path, asked: TaskBenchmarkSpec, *, allow_code: bool) -> None:
    """Read a folder's YAML and see that its task can be asked; raises TaskError that says why not."""
    configs = dict(_read_all(folder, allow_code=allow_code))
    if not allow_code:
        refuse_code(folder, configs)
    known = {name: _Found(path, config) for path, config in configs.items() if (name := name_of(config))}
    leaves = list(_leaves(asked.task, known))
    for leaf in leaves:
        config = _with_includes(leaf, folder, configs)
        if not allow_code:
            refuse_code_in(leaf.name, config)
            check_data(leaf.name, config, folder)
        check_measure(leaf.name, config, asked)


@dataclass(frozen=True)
class _Found:
    path: Path
    config: dict[str, Any]

    @property
    def name(self) -> str:
        return name_of(self.config)


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
                refuse_tags(where, path.read_bytes())
            config = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - a safe loader, with one tag more
        except TaskError:
            raise
        except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
            said = str(getattr(error, "problem", "") or error)[:200]
            raise TaskError("task_folder", f"{where} is no YAML of a task: {said}; correct it") from None
        if isinstance(config, dict):
            yield path, config


class _Loader(yaml.SafeLoader):
    """Reads plain data; of `!function`, where it is allowed, the name; any other tag is an error."""


_Loader.add_constructor("!function", lambda loader, node: str(node.value))


def _leaves(name: str, known: dict[str, _Found], depth: int = 0) -> Iterator[_Found]:
    """List the tasks of a task or group, with what a group sets for its members."""
    if name not in known or depth > DEEPEST:
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
        called = member if isinstance(member, str) else name_of(member) if isinstance(member, dict) else ""
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
        if target not in configs or depth > DEEPEST:
            raise TaskError(
                "task_folder", f"{path.name} includes '{name}', expected a .yaml file of the same folder; copy it there"
            )
        yield from _included(target, configs[target], folder, configs, depth + 1)
        yield target


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

"""Applies a model's patch to files in memory: search/replace blocks here, a unified diff by `git apply` in a scratch folder.

`git apply` refuses what leads out of the repository, into `.git` or through a link; what it would allow and we do not,
links among it, is refused before.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from workers.training.graders._code import NoCodeError, last_block

_MAX_CHARACTERS = 200_000
_MAX_FILES = 50  # that one patch touches
_MAX_REASON = 160
_GIT_TIMEOUT_S = 20.0
_GIT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C", "PATH": os.environ.get("PATH", "")}

_BLOCK = re.compile(r"^<{5,9} SEARCH[ \t]*$")
_MIDDLE, _END = re.compile(r"^={5,9}[ \t]*$"), re.compile(r"^>{5,9} REPLACE[ \t]*$")
_HEADER = re.compile(r"^(?:diff --git |--- |\+\+\+ )", re.MULTILINE)
_MODE = re.compile(r"^(?:new file|new|old|deleted file) mode (\d+)|^index \S+ (\d{6})$", re.MULTILINE)
_MOVE = re.compile(r"^(rename|copy) (?:from|to) (.+)$", re.MULTILINE)
_BINARY = re.compile(r"^(?:GIT binary patch|Binary files )", re.MULTILINE)


class PatchError(ValueError):
    """A patch that is none, cannot be applied, or goes where it must not; says so in a few words."""


def refusal_of_path(path: str) -> str:
    """Say in words why a path is no plain one inside a repository; empty if it is."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or not path.isprintable():
        return "leaves the repository"
    if any(part.lower().rstrip(". ") == ".git" or part.lower().startswith("git~") for part in parts):
        return "touches .git"
    return "" if str(PurePosixPath(path)) == path else "is no plain path"


def apply_patch(answer: str, *, files: Mapping[str, str], protected: Mapping[str, str]) -> dict[str, str]:
    """Apply the patch of an answer and give all files as they are then; raises PatchError."""
    if len(answer) > _MAX_CHARACTERS:
        raise PatchError(f"longer than {_MAX_CHARACTERS} characters")
    if any(_BLOCK.match(line) for line in answer.split("\n")):
        patched = _replace(answer, files, protected)
    else:
        patched = _apply_diff(_diff_of(answer), files, protected)
    if patched == files:
        raise PatchError("changes nothing")
    return patched


def _replace(answer: str, files: Mapping[str, str], protected: Mapping[str, str]) -> dict[str, str]:
    """Apply search/replace blocks, in order; the path stands on the last line before a block that is no fence."""
    patched, path, lines = dict(files), "", iter(answer.split("\n"))
    for line in lines:
        if not _BLOCK.match(line):
            name = line.strip().strip("`*#: ")
            path = name if name and not line.lstrip().startswith("```") else path
            continue
        _allow(path, protected)
        search, replacement = _until(lines, _MIDDLE), _until(lines, _END)
        if path not in patched and not search:
            patched[path] = replacement
            continue
        if path not in patched:
            raise PatchError(f"'{_short(path)}' is no file of the repository")
        count = patched[path].count(search) if search else 0
        if count != 1:
            raise PatchError(f"search text occurs {count} times in '{_short(path)}', expected once")
        patched[path] = patched[path].replace(search, replacement)
    return patched


def _until(lines: Iterator[str], end: re.Pattern[str]) -> str:
    taken: list[str] = []
    for line in lines:
        if end.match(line):
            return "".join(text + "\n" for text in taken)
        taken.append(line)
    raise PatchError("a search/replace block that does not end")


def _diff_of(answer: str) -> str:
    try:
        diff = last_block(answer, ("diff", "patch"))
    except NoCodeError as error:
        raise PatchError(str(error).replace("code", "patch")) from error
    if not _HEADER.search(diff):
        raise PatchError("no patch")
    return diff.rstrip("\n") + "\n"


def _apply_diff(diff: str, files: Mapping[str, str], protected: Mapping[str, str]) -> dict[str, str]:
    _refuse_odd_kinds(diff)
    strip = "-p1" if re.search(r"^(?:diff --git |--- |\+\+\+ )[ab]/", diff, re.MULTILINE) else "-p0"
    with tempfile.TemporaryDirectory(prefix="patch-") as folder:
        root = Path(folder)
        for path in _touched(root, diff, strip):
            _allow(path, protected)
        for path, text in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode("utf-8", "surrogateescape"))
        _git(root, "apply", strip, "--whitespace=nowarn", "-", stdin=diff)
        return _read_back(root)


def _refuse_odd_kinds(diff: str) -> None:
    """Refuse what only a diff's extended header can say; a line of a hunk never looks like one."""
    if any(mode.startswith(("12", "16")) for found in _MODE.finditer(diff) for mode in found.groups() if mode):
        raise PatchError("makes a link or a submodule")
    if _BINARY.search(diff):
        raise PatchError("holds binary data")
    if any(kind == "copy" for kind, _ in _MOVE.findall(diff)):
        raise PatchError("copies a file; write the new one out")


def _touched(root: Path, diff: str, strip: str) -> list[str]:
    """List the paths as git reads them; a rename's old one is only in its header."""
    told = _git(root, "apply", strip, "--numstat", "-z", "-", stdin=diff)
    paths = [entry.split("\t", 2)[2] for entry in told.split("\0") if entry.count("\t") >= 2]
    paths += [path.strip('"') for _, path in _MOVE.findall(diff)]
    if len(paths) > _MAX_FILES:
        raise PatchError(f"touches more than {_MAX_FILES} files")
    return paths


def _allow(path: str, protected: Mapping[str, str]) -> None:
    if not path:
        raise PatchError("a block without the path of a file before it")
    if refusal := refusal_of_path(path):
        raise PatchError(f"'{_short(path)}' {refusal}")
    if path in protected:
        raise PatchError(f"'{_short(path)}' is a test")


def _git(root: Path, *arguments: str, stdin: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments; the patch comes on standard input
            ["git", *arguments],  # noqa: S607 - wherever the host has it
            cwd=root,
            env={**_GIT, "HOME": str(root), "GIT_CEILING_DIRECTORIES": str(root.parent)},
            input=stdin.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PatchError(f"git took longer than {_GIT_TIMEOUT_S:g} s") from None
    except FileNotFoundError as error:
        raise RuntimeError("found no git on PATH, expected one to apply patches with; install it") from error
    if done.returncode:
        reasons = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("error: ")]
        raise PatchError(_short(reasons[0].removeprefix("error: ") if reasons else "git cannot read it"))
    return done.stdout.decode("utf-8", "surrogateescape")


def _read_back(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            raise PatchError("makes a link or a submodule")
        if path.is_file() and not name.startswith(".git/"):
            found[name] = path.read_bytes().decode("utf-8", "surrogateescape")
    return found


def _short(text: str) -> str:
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 3] + "..."

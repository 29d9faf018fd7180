"""Runs one test of a patched repository inside the sandbox, as a script; `patches.py` sends its text, and never imports it.

Standard input: {"test": "tests/test_sums.py::test_adds", "word": ...}, or with "::Class::method"; the class may be one of
`unittest` or a plain one. The word is printed last if the test passed, so that a patch that ends the process early, or
prints what it likes, has not passed. Without a name after the path a test is run that fails.
"""

import asyncio
import importlib.util
import inspect
import json
import os
import sys
import unittest
from pathlib import Path
from types import ModuleType


def main() -> None:
    # bound before anything of the repository is imported, which may replace what the modules hold
    write, asked = os.write, json.loads(sys.stdin.read())
    path, *names = asked["test"].split("::")
    passed = _run(_load(path), names)
    sys.stdout.flush()
    if passed is True:
        write(1, b"\n" + asked["word"].encode())


def _load(path: str) -> ModuleType:
    sys.path[:0] = [str(Path.cwd()), str(Path(path).parent)]
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _run(module: ModuleType, names: list[str]) -> bool:
    if not names:
        return _passes(lambda: 1 / 0)
    owner = getattr(module, names[0])
    if isinstance(owner, type) and issubclass(owner, unittest.TestCase):
        result = unittest.TestResult()
        owner(names[1]).run(result)
        return result.testsRun == 1 and result.wasSuccessful() and not result.skipped
    if not isinstance(owner, type):
        return _passes(owner)
    holder = owner()
    getattr(holder, "setup_method", lambda: None)()
    return _passes(getattr(holder, names[1]))


def _passes(test: object) -> bool:
    assert callable(test)
    result = test()
    if inspect.iscoroutine(result):
        asyncio.run(result)
    return True


if __name__ == "__main__":
    main()

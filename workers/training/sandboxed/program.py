"""What a fork of the sandbox's process becomes: a model's program, under its limits.

A job says what kind of program it is, in `kind`:
- `expressions`: source that defines `f`, called with each of `inputs`; no file, no import that is not loaded already;
- `script`: a whole program, from `stdin` to its standard output, with `files` in its folder; it ends as Python would;
- `function`: source that defines the function `name`, called with `arguments`; what it prints is lost.
"""

import atexit
import bisect
import builtins
import collections
import functools
import gc
import heapq
import io
import itertools
import json
import math
import os
import re
import resource
import string
import sys
import types
from pathlib import Path

from workers.training.sandboxed import isolation

PRELOADED = (bisect, collections, functools, heapq, itertools, math, re, string)  # what expressions can import
FAILED = 1  # the wait status of a script that an exception ended; the exception's name is its last line

_MAX_LINE_CHARACTERS = 200


def warm_up() -> None:
    """Speed-up: what Python sets up on first use, set up once here. A fork that touches a page pays for copying it."""
    job = json.loads(
        '{"kind": "expressions", "source": "f = lambda x: (\\nx\\n)", "inputs": [1], "limits": {"CORE": 0}}'
    )
    json.dumps({"outputs": _evaluate(job)})
    _limit(job)
    gc.disable()
    gc.freeze()


def become(granted: isolation.Granted, *, job: int, output: int, nothing: int) -> None:
    """Be the program of the job in the file; never returns."""
    wanted = json.loads(os.pread(job, os.fstat(job).st_size, 0))
    _KINDS[wanted["kind"]](granted, wanted, output, nothing)


def _be_expressions(granted: isolation.Granted, job: dict, output: int, nothing: int) -> None:  # type: ignore[type-arg]
    """The pipe becomes descriptor 0, the only one there may be: to open a file is to lose one's voice."""
    os.dup2(output, 0)
    os.closerange(1, 256)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), io.StringIO(), io.StringIO()
    _answer(job, 0, lambda: {"outputs": _evaluate(job)})


def _be_function(granted: isolation.Granted, job: dict, output: int, nothing: int) -> None:  # type: ignore[type-arg]
    _take_descriptors(nothing, nothing, nothing, output)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), io.StringIO(), io.StringIO()
    _answer(job, 3, lambda: {"value": _call(granted, job)})


def _be_script(granted: isolation.Granted, job: dict, output: int, nothing: int) -> None:  # type: ignore[type-arg]
    """Run as `python program.py` would, to its exit status; an exception's name becomes the last line of output."""
    stdin = os.memfd_create("stdin")
    os.write(stdin, job["stdin"].encode("utf-8", "surrogateescape"))
    os.lseek(stdin, 0, os.SEEK_SET)
    _take_descriptors(stdin, output, nothing)
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = open(number, mode, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    sys.argv[:] = ["program.py"]
    status, failure = 0, ""
    try:
        _settle(granted, job)
        _limit(job)
        exec(compile(job["source"], "program.py", "exec"), module.__dict__)  # noqa: S102 - this process exists for it
    except SystemExit as end:
        status = end.code & 0xFF if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        failure = _name(error)
    failure = _wind_up() or failure
    if failure:
        os.write(1, b"\n" + failure.encode())
        status = FAILED
    os._exit(status)


def _wind_up() -> str:
    """Do what Python does at its end: wait for threads, call what was registered, write what is buffered."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None and not stream.closed:
                stream.flush()
    except BaseException as error:
        return _name(error)
    return ""


def _take_descriptors(*numbers: int) -> None:
    """Make these 0, 1, 2 and so on, and close all others."""
    high = [os.dup(number) for number in numbers]  # above, so that none is overwritten before it is copied
    for target, number in enumerate(high):
        os.dup2(number, target)
    os.closerange(len(numbers), 256)


def _settle(granted: isolation.Granted, job: dict) -> None:  # type: ignore[type-arg]
    """Go to a whole program's folder, lay its files there, and give up the calls that only the sandbox needs."""
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # which Python's `site` adds, and many programs end with
    os.chdir(granted.folder)
    sys.path.insert(0, granted.folder)
    atexit._clear()
    gc.enable()
    for name, text in job.get("files", {}).items():
        path = Path(granted.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    isolation.load_filter(granted.calls)


def _answer(job: dict, output: int, evaluate: object) -> None:  # type: ignore[type-arg]
    """Write what was evaluated, or why it was not, as JSON, and end."""
    assert callable(evaluate)
    try:
        _limit(job)
        text = json.dumps(evaluate())
    except BaseException as error:  # whatever a program may raise, SystemExit and MemoryError too
        text = json.dumps({"error": _name(error)})
    data = text.encode()
    while data:
        data = data[os.write(output, data) :]
    os._exit(0)


def _name(error: BaseException) -> str:
    return type(error).__name__[:_MAX_LINE_CHARACTERS]


def _limit(job: dict) -> None:  # type: ignore[type-arg]
    """Set all limits, for good; raises where one cannot be set, and then nothing is run."""
    for name, value in job["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _evaluate(job: dict) -> list[object]:  # type: ignore[type-arg]
    names: dict[str, object] = {"__name__": "program"}
    exec(compile(job["source"], "<program>", "exec"), names)  # noqa: S102 - this process exists for it
    function = names["f"]
    assert callable(function)
    outputs = [function(value) for value in job["inputs"]]
    for output in outputs:
        if type(output) not in (int, float, str, bool, type(None)):
            raise TypeError
    return outputs


def _call(granted: isolation.Granted, job: dict) -> object:  # type: ignore[type-arg]
    """Call the function, or the method of that name of `Solution`, as programming contests have it."""
    _settle(granted, job)
    names: dict[str, object] = {"__name__": "program"}
    exec(compile(job["source"], "<program>", "exec"), names)  # noqa: S102 - this process exists for it
    owner = names.get("Solution")
    function = getattr(owner(), job["name"]) if isinstance(owner, type) else names[job["name"]]
    assert callable(function)
    return function(*job["arguments"])


_KINDS = {"expressions": _be_expressions, "function": _be_function, "script": _be_script}

"""The sandbox's own process: forks once per program. `sandbox.py` starts it as a script and says what it guards against.

Only the standard library, and no import after `_isolate`: the file system is gone by then. Each line of standard input
is a program, {"source", "inputs", "timeout_s", "max_memory_bytes"}; each line of standard output its result,
{"outputs"} or {"error"}. The first line out lists the isolation that this machine granted.
"""

import bisect
import collections
import ctypes
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
import select
import signal
import string
import sys
import time

PRELOADED = (bisect, collections, functools, heapq, itertools, math, re, string)  # what programs can import

_MAX_RESULT_BYTES = 65_536
_NOBODY = 65_534
_CLONE_NEWUSER, _CLONE_NEWIPC, _CLONE_NEWNET, _CLONE_NEWPID = 0x10000000, 0x08000000, 0x40000000, 0x20000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    jobs, results = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    granted = _isolate()
    _warm_up()
    print(json.dumps({"isolation": granted}), file=results, flush=True)
    for line in jobs:
        print(json.dumps(_run(json.loads(line))), file=results, flush=True)


def _isolate() -> list[str]:
    """Give up what this process may do, as far as the machine allows, in an order in which each step still can."""
    libc, granted = ctypes.CDLL(None, use_errno=True), []
    namespaces = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWPID
    if libc.unshare(namespaces | (0 if os.getuid() == 0 else _CLONE_NEWUSER)) == 0:
        granted += ["no network", "own processes only"]
        _become_first_of_namespace(libc)
    try:
        os.chroot(".")
        os.chdir("/")
        granted.append("empty file system")
    except OSError:
        pass
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        granted.append("nobody's rights")
    if _drop_capabilities(libc):
        granted.append("no capabilities")
    return granted


def _warm_up() -> None:
    """Speed-up: what Python sets up on first use, set up once here. A fork that touches a page pays for copying it."""
    json.dumps({"outputs": _evaluate("f = lambda x: (\nx\n)", [1])})
    gc.disable()
    gc.freeze()


def _become_first_of_namespace(libc: ctypes.CDLL) -> None:
    """Go on as process 1 of the new namespace, which programs cannot kill; the process outside only waits for it."""
    inside = os.fork()
    if inside:
        os.closerange(0, 64)  # so that the pipes to the trainer close when the inner process dies
        os.waitpid(inside, 0)
        os._exit(0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _drop_capabilities(libc: ctypes.CDLL) -> bool:
    """Drop what a new user namespace gave, or root had; without, a program could undo `chroot`."""
    header, empty = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    return bool(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and libc.capset(header, empty) == 0)


def _run(job: dict) -> dict:  # type: ignore[type-arg]
    """Fork a process for one program and wait for its result, no longer than its time."""
    result_end, program_end = os.pipe()
    process = os.fork()
    if process == 0:
        _be_the_program(job, program_end)
    os.close(program_end)
    try:
        text = _read_result(result_end, time.monotonic() + job["timeout_s"])
    except TimeoutError:
        return {"error": f"ran longer than {job['timeout_s']} s"}
    finally:
        os.close(result_end)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    try:
        result = json.loads(text)
    except ValueError:
        return {"error": "ended without a result"}
    return result if isinstance(result, dict) else {"error": "ended without a result"}


def _read_result(pipe: int, deadline: float) -> bytes:
    text = b""
    while len(text) <= _MAX_RESULT_BYTES:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        piece = os.read(pipe, _MAX_RESULT_BYTES)
        if not piece:
            return text
        text += piece
    return b""


def _be_the_program(job: dict, pipe: int) -> None:  # type: ignore[type-arg]
    """Never returns. The pipe becomes descriptor 0, the only one there may be: to open a file is to lose one's voice."""
    os.dup2(pipe, 0)
    os.closerange(1, 256)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), io.StringIO(), io.StringIO()
    _set_limits(job)
    try:
        result = {"outputs": _evaluate(job["source"], job["inputs"])}
        text = json.dumps(result)
    except BaseException as error:  # whatever a program may raise, SystemExit and MemoryError too
        text = json.dumps({"error": type(error).__name__})
    os.write(0, text.encode())
    os._exit(0)


def _set_limits(job: dict) -> None:  # type: ignore[type-arg]
    cpu_s = math.ceil(job["timeout_s"]) + 1
    limits = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_AS: job["max_memory_bytes"],
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 1,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def _evaluate(source: str, inputs: list[int]) -> list[object]:
    names: dict[str, object] = {"__name__": "program"}
    exec(compile(source, "<program>", "exec"), names)  # noqa: S102 - this process exists for it
    function = names["f"]
    assert callable(function)
    outputs = [function(value) for value in inputs]
    for output in outputs:
        if type(output) not in (int, float, str, bool, type(None)):
            raise TypeError
    return outputs


if __name__ == "__main__":
    main()

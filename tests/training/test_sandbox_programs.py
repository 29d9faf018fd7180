"""Whole programs in the sandbox: what an honest one may do, and how its end is told."""

import pytest

from workers.training.sandbox import Function, Limits, Outcome, Script, run_tests

LIMITS = Limits(timeout_s=10.0)


def run_one(source: str, stdin: str = "", **files: str) -> Outcome:
    return run_tests([[Script(source, stdin, tuple(files.items()))]], limits=LIMITS)[0][0]


def test_runs_a_batch_in_order() -> None:
    programs = [[Script("print(int(input()) * 2)", str(n)), Script("print(input())", str(n))] for n in range(20)]
    values = [[outcome.value for outcome in outcomes] for outcomes in run_tests(programs, limits=LIMITS)]
    assert values == [[f"{2 * n}\n", f"{n}\n"] for n in range(20)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("import sys\nfor line in sys.stdin: print(line[::-1].strip())", "cb\nfed\n"),
        ("import os\nos.write(1, os.read(0, 2))", "bc"),
        ("import atexit, sys\natexit.register(print, 'last')\nsys.stdout.write('first ')", "first last\n"),
        ("if __name__ == '__main__': print(open(0).read().split()[1])", "def\n"),
        ("import sys, threading\nsys.setrecursionlimit(10 ** 6)\nthreading.stack_size(64 << 20)\n"
         "def f(n): return n and 1 + f(n - 1)\nt = threading.Thread(target=lambda: print(f(10 ** 5)))\nt.start()", "100000\n"),
        ("import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 'awaited'\nprint(asyncio.run(f()))", "awaited\n"),
        ("import decimal, fractions, hashlib, random, sqlite3, zlib\nprint(sqlite3.connect('x.db').execute('select 1').fetchone())", "(1,)\n"),
        ("import tempfile, shutil\nf = tempfile.mkdtemp(dir='.')\nopen(f + '/x', 'w').write('y')\nshutil.copy(f + '/x', 'z')\nprint(open('z').read())", "y\n"),
        ("exit(0)", ""),
    ],
)  # fmt: skip
def test_what_programs_do(source: str, value: str) -> None:
    assert run_one(source, "bc\ndef\n") == Outcome(value)


def test_files_lie_in_its_folder_and_can_be_imported() -> None:
    files = {"pack/__init__.py": "", "pack/part.py": "x = 'é'", "data.txt": "1"}
    assert run_one("from pack.part import x\nprint(x, open('data.txt').read())", **files).value == "é 1\n"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("print(1)\n1 / 0", "ZeroDivisionError"),
        ("import sys\nsys.exit(3)", "ended with status 3"),
        ("import sys\nsys.exit('no')", "ended with status 1"),
        ("import os\nos._exit(4)", "ended with status 4"),
        ("print(", "SyntaxError"),
        ("import ctypes\nctypes.string_at(0)", "was ended by SIGSEGV"),
        ("import threading, sys\nthreading.Thread(target=print, args=('x',)).start()\nraise KeyError", "KeyError"),
    ],
)
def test_how_a_program_failed(source: str, error: str) -> None:
    assert run_one(source).error == error


def test_a_function_gets_and_gives_json() -> None:
    arguments = [1, [2.5, None], {"a": "é"}]
    outcome = run_tests([[Function("def f(*given): return given", "f", arguments)]], limits=LIMITS)[0][0]
    assert outcome == Outcome(arguments)


def test_after_one_that_ran_out_of_time_the_rest_is_not_run() -> None:
    endless, quick = Script("while True: pass"), Script("print(1)")
    [first, second], [other] = run_tests([[endless, quick], [quick]], limits=Limits(timeout_s=1.0))
    assert first.error == "ran longer than 1 s"
    assert second.error == "not run: an earlier test ran out of time"
    assert other.value == "1\n"

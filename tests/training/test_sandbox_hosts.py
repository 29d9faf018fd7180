"""Hosts that grant less: what is left still holds, and what cannot be confined is not run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_NAMESPACES = ("unshare", "mount", "pivot_root")  # as in an ordinary container
NO_LANDLOCK = ("landlock_create_ruleset",)

HOST = """
import errno, json, sys
import pyseccomp
refused, program = json.loads(sys.argv[1])
host = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
for name in refused:
    host.add_rule(pyseccomp.ERRNO(errno.EPERM), 444 if name.startswith("landlock") else name)
if "seccomp" in refused:
    host.add_rule(pyseccomp.ERRNO(errno.EPERM), "prctl", pyseccomp.Arg(0, pyseccomp.EQ, 22))
host.load()
from workers.training.sandbox import *
from workers.training.sandbox import Limits, run_programs, run_tests
granted = isolation()
try:
    outcome = run_tests([[Script(program)]], limits=Limits(timeout_s=10.0))[0][0]
    found = f"{outcome.value}{outcome.error}"
except RuntimeError as error:
    found = str(error)
expression = run_programs([Program("f = lambda x: x + 1", (1,))])[0].outputs
print(json.dumps([granted, found, expression]))
"""


def on_a_host_without(refused: tuple[str, ...], program: str = "print('ran')") -> tuple[list[str], str]:
    """Run a script and an expression on a host that refuses some calls; the expression runs on all of them."""
    command = [sys.executable, "-c", HOST, json.dumps([refused, program])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    granted, found, expression = json.loads(done.stdout)
    assert expression == [2]
    return granted, found


def test_without_namespaces_landlock_and_the_filter_hold(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    granted, found = on_a_host_without(
        NO_NAMESPACES,
        f"""
import os, sys
def attempt(action):
    try: action()
    except BaseException as error: print("refused")
    else: print("escaped")
attempt(lambda: open({str(secret)!r}).read())
attempt(lambda: open('/proc/{os.getpid()}/environ').read())
attempt(lambda: open('/tmp/escaped', 'w'))
attempt(lambda: open('escaped', 'w'))
attempt(lambda: __import__('socket').socket())
attempt(lambda: os.kill({os.getpid()}, 0))
attempt(lambda: os.kill(os.getppid(), 9))
attempt(lambda: os.fork())
""",
    )
    assert {"Landlock", "few system calls"} <= set(granted)
    assert not {"own file system", "scratch folder", "no network"} & set(granted)
    assert found == "refused\n" * 8


@pytest.mark.parametrize(
    ("refused", "missing"),
    [
        ((*NO_NAMESPACES, *NO_LANDLOCK), "'own file system or Landlock' (user namespaces, or a kernel with Landlock"),
        (("seccomp",), "'few system calls' (libseccomp and a kernel with seccomp)"),
    ],
)
def test_what_cannot_be_confined_is_not_run(refused: tuple[str, ...], missing: str) -> None:
    granted, found = on_a_host_without(refused)
    assert found.startswith(f"this machine granted the sandbox {granted}")
    assert missing in found


def test_files_need_a_scratch_folder() -> None:
    program = "print('ran')"
    source = HOST.replace("Script(program)", "Script(program, files=(('a.txt', 'x'),))")
    command = [sys.executable, "-c", source, json.dumps([NO_NAMESPACES, program])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "need 'scratch folder' (user namespaces" in done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change users")
def test_without_anything_root_still_empties_the_file_system() -> None:
    granted, _ = on_a_host_without((*NO_NAMESPACES, *NO_LANDLOCK))
    assert granted == ["empty file system", "nobody's rights", "no capabilities", "few system calls"]

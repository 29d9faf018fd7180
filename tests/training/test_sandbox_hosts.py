"""Hosts that grant less: what is left still holds, and what cannot be confined is not run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.attacks import ATTACKS, PRELUDE, TIME

ROOT = Path(__file__).resolve().parents[2]
NO_NAMESPACES = ("unshare", "mount", "pivot_root")  # as in an ordinary container
NO_LANDLOCK = ("landlock_create_ruleset",)

HOST = """
import errno, json, sys
import pyseccomp
refused, programs = json.loads(sys.argv[1])
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
    outcomes = run_tests([[Script(program)] for program in programs], limits=Limits(timeout_s=10.0))
    found = [f"{outcome.value}{outcome.error}" for [outcome] in outcomes]
except RuntimeError as error:
    found = [str(error)]
expression = run_programs([Program("f = lambda x: x + 1", (1,))])[0].outputs
print(json.dumps([granted, found, expression]))
"""


def on_a_host_without(refused: tuple[str, ...], programs: list[str], host: str = HOST) -> tuple[list[str], list[str]]:
    """Run scripts and an expression on a host that refuses some calls; the expression runs on all of them."""
    command = [sys.executable, "-c", host, json.dumps([refused, programs])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    granted, found, expression = json.loads(done.stdout)
    assert expression == [2]
    return granted, found


def test_without_namespaces_landlock_and_the_filter_contain_the_attacks(host: dict[str, object]) -> None:
    attacks = [attack for attack in ATTACKS if attack.contained_by != TIME]
    programs = [PRELUDE + attack.source.format(**host) for attack in attacks]
    granted, found = on_a_host_without(NO_NAMESPACES, programs)
    assert {"Landlock", "few system calls"} <= set(granted)
    assert not {"own file system", "scratch folder", "no network", "own processes only"} & set(granted)
    for attack, seen in zip(attacks, found, strict=True):
        assert "escaped" not in seen, attack.name
        assert "hunter2" not in seen, attack.name


@pytest.mark.parametrize(
    ("refused", "missing"),
    [
        ((*NO_NAMESPACES, *NO_LANDLOCK), "'own file system or Landlock' (user namespaces, or a kernel with Landlock"),
        (("seccomp",), "'few system calls' (libseccomp and a kernel with seccomp)"),
    ],
)
def test_what_cannot_be_confined_is_not_run(refused: tuple[str, ...], missing: str) -> None:
    granted, [found] = on_a_host_without(refused, ["print('ran')"])
    assert found.startswith(f"this machine granted the sandbox {granted}")
    assert missing in found


def test_files_need_a_scratch_folder() -> None:
    with_a_file = HOST.replace("Script(program)", "Script(program, files=(('a.txt', 'x'),))")
    _, [found] = on_a_host_without(NO_NAMESPACES, ["print('ran')"], with_a_file)
    assert "need 'scratch folder' (user namespaces" in found


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change users")
def test_without_anything_root_still_empties_the_file_system() -> None:
    granted, _ = on_a_host_without((*NO_NAMESPACES, *NO_LANDLOCK), [])
    assert granted == ["empty file system", "nobody's rights", "no capabilities", "few system calls"]

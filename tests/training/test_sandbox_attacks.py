"""Attacks on the sandbox: all are contained, the worker is unharmed, and nothing stays behind."""

import re
from pathlib import Path

import psutil
import pytest

from tests.training.attacks import ATTACKS, PRELUDE, Attack
from workers.training.sandbox import Function, Limits, Outcome, Script, run_tests

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"


def run_one(job: Script | Function, limits: Limits | None = None) -> Outcome:
    return run_tests([[job]], limits=limits or Limits(timeout_s=10.0))[0][0]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_contained(attack: Attack, host: dict[str, object]) -> None:
    run_one(Script("secret = 'otherprogram'\nopen('otherprogram', 'w').write(secret)"))
    before = _traces()
    outcome = run_one(Script(PRELUDE + attack.source.format(**host)), Limits(timeout_s=attack.timeout_s))
    seen = f"{outcome.value}{outcome.error}"
    assert "escaped" not in seen
    assert "hunter2" not in seen
    assert re.search(attack.seen, seen), seen
    assert run_one(Script("import math, os\nprint(math.pi, os.listdir('.'))")).value == "3.141592653589793 []\n"
    assert _traces() == before


def test_a_function_gains_nothing_by_writing_its_own_result() -> None:
    """The expected value is outside, so that what it writes is as good or bad as what it returns."""
    forged = 'import os\ndef f(x):\n    os.write(3, b\'{"value": "passed"}\')\n    os._exit(0)'
    assert run_one(Function(forged, "f", [1])).value == "passed"
    assert run_one(Function("def f(x): return type('E', (dict,), {'__eq__': lambda *_: True})()", "f", [1])).value == {}


@pytest.mark.parametrize(
    "returned", ["float", "{1}", "lambda: 0", "type('P', (), {'__reduce__': lambda s: (print, ())})()", "1e400"]
)
def test_only_json_comes_out_of_a_function(returned: str) -> None:
    outcome = run_one(Function(f"def f(): return {returned}", "f", []))
    assert outcome.error or outcome.value == float("inf")


def test_a_limit_that_cannot_be_set_stops_the_program() -> None:
    assert run_one(Script("print('ran')"), Limits(max_memory_bytes=1 << 70)).value == "\nOverflowError"


def test_the_document_lists_every_attack() -> None:
    table = "\n".join(f"| {attack.name} | {attack.contained_by} |" for attack in ATTACKS)
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 40
    assert table in DOCUMENT.read_text(), f"docs/sandbox.md lacks this table:\n{table}"


def _traces() -> tuple[int, list[Path]]:
    """What an attack could leave: processes of ours, files in shared places, core dumps."""
    files = [Path("/tmp/escaped"), Path("/dev/shm/escaped"), *Path.cwd().glob("core*")]
    return len(psutil.Process().children(recursive=True)), [path for path in files if path.exists()]

"""Attacks on the sandbox: all are contained, the worker is unharmed, and nothing stays behind."""

import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.training.attacks import ATTACKS, PRELUDE, Attack
from workers.training.sandbox import Function, Limits, Outcome, Script, run_tests

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"


def run_one(job: Script | Function, limits: Limits | None = None) -> Outcome:
    return run_tests([[job]], limits=limits or Limits(timeout_s=10.0))[0][0]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What a worker has that a program must not reach."""
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    tmp_path.chmod(0o777)
    with ExitStack() as stack, tempfile.TemporaryDirectory() as short:  # a socket's path has to be short
        sockets = {
            "socket": (socket.AF_UNIX, socket.SOCK_STREAM, f"{short}/.s.PGSQL.5432"),
            "abstract": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0cascade-{os.getpid()}"),
            "tcp": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        }
        found: dict[str, object] = {"secret": str(secret), "worker": os.getpid()}
        for name, (family, kind, address) in sockets.items():
            server = stack.enter_context(socket.socket(family, kind))
            server.bind(address)
            if kind == socket.SOCK_STREAM:
                server.listen()
            found[name] = server.getsockname()[1] if family == socket.AF_INET else address
        Path(short).chmod(0o777)
        Path(short, ".s.PGSQL.5432").chmod(0o777)
        yield found


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

"""The supervisor: starts, heals, stops, and leaves nothing behind."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from runs.management.supervisor import Program, ProgramError, Supervisor

SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
)


def python(name: str, code: str, **settings: object) -> Program:
    return Program(name=name, command=[sys.executable, "-c", code], **settings)  # type: ignore[arg-type]


def wait_for(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def said_in(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_programs_start_and_stop_in_reverse_order_stores_last(tmp_path: Path) -> None:
    goodbye = "import signal, sys, time\ndef end(*_):\n open({path!r}, 'a').write('{name} ')\n sys.exit()\nsignal.signal(signal.SIGTERM, end)\nprint('on', flush=True)\ntime.sleep(600)"
    order = tmp_path / "order"
    supervisor = Supervisor(logs=tmp_path)
    for name in ("store", "worker", "web"):
        code = goodbye.format(path=str(order), name=name)
        supervisor.start(python(name, code, is_store=name == "store"))
        wait_for(lambda log=tmp_path / f"{name}.log": "on" in said_in(log))  # type: ignore[misc]
    supervisor.stop()
    assert order.read_text().split()[-1] == "store"
    assert set(order.read_text().split()) == {"web", "worker", "store"}
    assert supervisor.pids() == {}


def test_a_killed_program_starts_again(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(logs=tmp_path, say=said.append) as supervisor:
        supervisor.start(python("web", SLEEP))
        first = supervisor.pids()["web"]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: (supervisor.tend(), supervisor.pids().get("web", first) != first)[1])
        assert "web ended with signal SIGKILL; starting it again in 0.5 s" in said[0]


def test_a_program_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(logs=tmp_path, say=said.append) as supervisor:
        supervisor.start(python("web", "raise SystemExit(3)"))
        wait_for(lambda: (supervisor.tend(), len(said) == 2)[1])
    assert "status 3" in said[0]
    assert "in 0.5 s" in said[0]
    assert "in 1 s" in said[1]


def test_a_program_that_does_not_come_up_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Supervisor(logs=tmp_path) as supervisor:
        supervisor.start(python("web", "raise SystemExit('no such table')", is_ready=lambda: False))
        with pytest.raises(ProgramError, match=r"web ended with status 1 as it started; .*: no such table"):
            supervisor.wait_until_ready("web")


def test_one_that_ignores_the_signal_is_killed_with_its_descendants(tmp_path: Path) -> None:
    # The grandchild is in a session of its own, as trainers are.
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True).pid, flush=True); {STUBBORN}"
    supervisor = Supervisor(logs=tmp_path)
    supervisor.start(python("worker", code, stop_within_s=0.3))
    wait_for(lambda: "on" in said_in(tmp_path / "worker.log"))
    grandchild = int(said_in(tmp_path / "worker.log").split()[0])
    supervisor.stop()
    wait_for(lambda: not is_alive(grandchild))


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    supervisor = Supervisor(logs=tmp_path)
    supervisor.start(python("worker", STUBBORN, stop_within_s=60))
    wait_for(lambda: "on" in said_in(tmp_path / "worker.log"))
    supervisor.start(
        python(
            "bell",
            f"import os, signal, time; time.sleep(0.5); os.kill({os.getpid()}, signal.SIGINT); {SLEEP}",
            is_store=True,
        )
    )
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 20


def test_programs_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from runs.management.supervisor import *\n"
        f"s = Supervisor(logs=Path({str(tmp_path)!r}))\n"
        f"s.start(Program(name='web', command=[sys.executable, '-c', {SLEEP!r}]))\n"
        "print(s.pids()['web'], flush=True); time.sleep(600)"
    )
    outer = Supervisor(logs=tmp_path / "outer")
    outer.start(python("supervisor", code, folder=Path.cwd()))
    log = tmp_path / "outer" / "supervisor.log"
    wait_for(lambda: said_in(log).endswith("\n"))
    inner = int(said_in(log))
    time.sleep(0.2)  # until the inner program has asked the kernel for its signal
    os.kill(outer.pids()["supervisor"], signal.SIGKILL)
    wait_for(lambda: not is_alive(inner))
    outer.stop()

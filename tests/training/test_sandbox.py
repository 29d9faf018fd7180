"""The sandbox runs programs a model wrote, and survives them."""

import os
import time
from pathlib import Path

import pytest

from workers.training.sandbox import Program, ProgramResult, isolation, run_programs


def run_one(source: str) -> ProgramResult:
    return run_programs([Program(source, (1, 2))])[0]


def test_runs_a_batch_in_order() -> None:
    jobs = [Program(f"f = lambda x: x + {n}", (1, 5)) for n in range(20)]
    assert [result.outputs for result in run_programs(jobs)] == [(1 + n, 5 + n) for n in range(20)]


def test_stops_an_infinite_loop() -> None:
    start = time.monotonic()
    assert run_one("while True: pass").error == "ran longer than 0.5 s"
    assert time.monotonic() - start < 5


def test_stops_a_loop_inside_the_interpreter() -> None:
    assert run_one("f = lambda x: 9 ** 9 ** 9").error == "ran longer than 0.5 s"


def test_refuses_memory_above_the_limit() -> None:
    assert run_one("f = lambda x: len(bytearray(10 ** 9))").error == "MemoryError"


def test_refuses_a_fork() -> None:
    assert run_one("import os\nwhile True: os.fork()").error in ("BlockingIOError", "PermissionError")


def test_refuses_to_open_a_file_for_writing() -> None:
    assert run_one("f = lambda x: open('/tmp/x', 'w').write('x')").error in ("OSError", "PermissionError")


def test_a_file_opened_in_place_of_the_result_pipe_takes_no_bytes(tmp_path: Path) -> None:
    path = tmp_path / "written"
    path.touch()
    path.chmod(0o666)
    tmp_path.chmod(0o777)
    source = f"import os\nos.close(0)\nfile = os.open({str(path)!r}, os.O_WRONLY)\nos.write(file, b'x')\nf = abs"
    assert run_one(source).error
    assert path.stat().st_size == 0


def test_refuses_a_network_connection() -> None:
    assert run_one("import _socket\ns = _socket.socket()\nf = abs").error


@pytest.mark.parametrize(
    "source", ["import sys\nsys.exit(0)", "import os\nos._exit(0)", "raise ValueError('x')", "g = 1"]
)
def test_a_program_that_ends_early_has_an_error_and_no_outputs(source: str) -> None:
    result = run_one(source)
    assert result.error
    assert result.outputs == ()


def test_what_a_program_prints_is_not_its_result() -> None:
    result = run_one("print('{\"outputs\": [7, 7]}', flush=True)\nf = lambda x: x")
    assert result.outputs == (1, 2)


def test_a_result_of_the_wrong_length_is_an_error() -> None:
    source = "import os\nos.write(0, b'{\"outputs\": [7]}')\nos._exit(0)"
    assert run_one(source).error == "ended without a result"


def test_nothing_of_the_parents_environment_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    assert run_one("import os\nf = lambda x: 'SECRET_TOKEN' in os.environ").outputs == (False, False)
    source = f"f = lambda x: open('/proc/{os.getpid()}/environ').read()"
    assert run_one(source).error in ("OSError", "PermissionError", "FileNotFoundError")


def test_a_program_that_kills_all_it_can_spoils_only_itself() -> None:
    killer = Program("import os\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)\nf = abs", (1,))
    results = run_programs([killer, Program("f = abs", (-3,))])
    assert results[1].outputs == (3,)


def test_programs_leave_nothing_behind_for_each_other() -> None:
    first = Program("import math\nmath.pi = 3\nf = lambda x: math.pi", (1,))
    second = Program("import math\nf = lambda x: int(math.pi * 100)", (1,))
    assert [result.outputs for result in run_programs([first, second])] == [(3,), (314,)]


def test_equal_programs_run_once() -> None:
    clock = Program("import time\nf = lambda x: time.monotonic_ns()", (1,))
    first, second = run_programs([clock, clock])
    assert first == second


def test_does_not_run_what_does_not_parse() -> None:
    assert [run_one(source).error for source in ("f = (", "\0", "(" * 5000)] == ["does not parse"] * 3


def test_only_plain_values_come_out() -> None:
    assert run_one("f = lambda x: [x]").error == "TypeError"
    assert run_one("f = lambda x: 10 ** 5000").error == "ValueError"
    assert run_one("f = lambda x: 'a' * 10 ** 6").error == "ended without a result"


def test_says_what_isolation_the_machine_granted() -> None:
    granted = isolation()
    assert set(granted) <= {
        "no network",
        "own processes only",
        "own file system",
        "scratch folder",
        "Landlock",
        "few system calls",
        "nobody's rights",
        "no capabilities",
    }
    if os.getuid() == 0:
        assert "nobody's rights" in granted

"""Setting up on a machine that has only Python: once, quickly the second time, and in plain sentences."""

import ast
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cascade_web import bootstrap

SOURCE = Path(bootstrap.__file__)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the set-up script and nothing to download."""
    (tmp_path / "cascade_web").mkdir()
    shutil.copy(SOURCE, tmp_path / "cascade_web")
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\n")
    return tmp_path


def set_up(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(checkout / "cascade_web" / "bootstrap.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def test_the_first_call_sets_up_and_the_second_does_nothing(checkout: Path) -> None:
    first = set_up(checkout, "--dev")
    assert first.returncode == 0, first.stderr
    assert (checkout / ".venv" / "bin" / "python").exists()
    started = time.monotonic()
    for arguments in ((), ("--dev",)):
        again = set_up(checkout, *arguments)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert time.monotonic() - started < 2


def test_changed_requirements_are_installed_and_a_failure_is_a_sentence(checkout: Path) -> None:
    assert set_up(checkout).returncode == 0
    (checkout / "requirements.txt").write_text("absent @ file:///nowhere/absent-1.0-py3-none-any.whl\n")
    failed = set_up(checkout)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Set-up stopped: pip failed: ERROR: ")
    assert "Traceback" not in failed.stdout + failed.stderr
    assert "absent-1.0" in (checkout / "var" / "setup.log").read_text()
    (checkout / "requirements.txt").write_text("# nothing again\n")
    assert set_up(checkout).returncode == 0


def test_a_folder_that_cannot_be_written(checkout: Path) -> None:
    (checkout / "var").write_text("a file where a folder is needed")
    failed = set_up(checkout)
    assert failed.returncode == 1
    assert "not writable" in failed.stderr
    assert "copy the project to such a folder" in failed.stderr


def test_too_little_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "NEEDED_BYTES", 10**18)
    with pytest.raises(bootstrap.SetupError, match=r"found .* GB free on the disk of .*; free some"):
        bootstrap.check_space()


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        bootstrap.SetupError, match=r"found Python 3\.9\.2, expected 3\.11 or later; run: apt-get install"
    ):
        bootstrap.find_python()


def test_a_python_without_venv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "can_import", lambda python, module: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(bootstrap.SetupError, match="run: apt-get install python3-venv"):
        bootstrap.make_environment()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "free about 3 GB"),
        ("error: command 'gcc' failed: No such file or directory", "apt-get install build-essential"),
        ("NewConnectionError: [Errno 111] Connection refused", "check the network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "64-bit Linux"),
        ("ERROR: something else", "pip failed: ERROR: something else"),
    ],
)
def test_pip_failures_in_plain_words(said: str, sentence: str) -> None:
    assert sentence in bootstrap.explain(f"Collecting x\n{said}\n")


def test_an_old_python_can_read_it_to_say_so() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 7))

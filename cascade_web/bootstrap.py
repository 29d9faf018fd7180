"""Set up `.venv` with all that is needed; run by whatever `python3` the machine has, so the standard library only.

    python3 cascade_web/bootstrap.py              what the product needs
    python3 cascade_web/bootstrap.py --dev        what tests and checks need on top
    python3 cascade_web/bootstrap.py --vllm       an environment with vLLM for a CPU, to test that engine with
    python3 cascade_web/bootstrap.py --browser    Chromium for the browser tests, where it may be installed

Nothing is done twice: a stamp holds the digest of what was installed, so a second call ends at once. The syntax stays
old enough for Python 3.7 to say that it is too old.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOG = ROOT / "var" / "setup.log"
STAMP = VENV / "installed"  # inside the environment, so that removing one removes the other
OLDEST = (3, 11)
VLLM_VENV = ROOT / ".venv-vllm"
NEEDED_BYTES = 3_000_000_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PIP = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]

# What pip prints when the machine lacks something, and what a person can do about it; the first match counts.
PIP_PROBLEMS = (
    ("No space left on device", "found the disk full; free about 3 GB"),
    ("Disk quota exceeded", "found the disk quota used up; free about 3 GB"),
    ("Read-only file system", "found a read-only file system; copy the project to a folder that can be written"),
    ("Permission denied", "found files that this user may not write; remove .venv, or run as the user who made it"),
    (
        "command 'gcc' failed",
        "found no working C compiler for a package without a ready-made wheel; run: apt-get install build-essential python3-dev",
    ),
    (
        "command 'cc' failed",
        "found no working C compiler for a package without a ready-made wheel; run: apt-get install build-essential python3-dev",
    ),
    (
        "error: command",
        "found no working compiler for a package without a ready-made wheel; run: apt-get install build-essential python3-dev",
    ),
    (
        "make: not found",
        "found no compiler tools for a package without a ready-made wheel; run: apt-get install build-essential python3-dev",
    ),
    ("Python.h", "found no Python headers for a package without a ready-made wheel; run: apt-get install python3-dev"),
    (
        "NewConnectionError",
        "could not reach the package index; check the network, or the index that pip is configured to use",
    ),
    ("Temporary failure in name resolution", "could not reach the package index; check the network or proxy settings"),
    ("ReadTimeoutError", "the package index answered too slowly; try again"),
    (
        "No matching distribution found",
        "found no version of a package for this Python and machine; use 64-bit Linux with Python 3.11 to 3.13",
    ),
    ("THESE PACKAGES DO NOT MATCH THE HASHES", "found a damaged download; try again"),
)


class SetupError(Exception):
    """What was found, what was expected, what to do: one sentence for a person."""


def main(arguments: list[str]) -> int:
    """Do what the arguments ask; print a sentence and return 1 where that is not possible."""
    try:
        if "--browser" in arguments:
            install_browser()
        elif "--vllm" in arguments:
            install_vllm()
        else:
            install_packages(ROOT / ("requirements-dev.txt" if "--dev" in arguments else "requirements.txt"))
    except SetupError as error:
        print(f"Set-up stopped: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nSet-up stopped; the same command goes on where it was.", file=sys.stderr)
        return 130
    return 0


# Packages -------------------------------------------------------------------------------------------------------


def install_packages(requirements: Path) -> None:
    """Bring `.venv` up to date with a requirements file."""
    check_writable()
    if is_installed(requirements):
        return
    check_space()
    started = time.monotonic()
    if not works(VENV / "bin" / "python"):
        make_environment()
    print(f"Installing the packages of {requirements.name}; the first time takes some minutes.")
    run_pip(["install", "-r", str(requirements)])
    with open(STAMP, "a") as stamp:
        stamp.write(digest(requirements) + "\n")
    print(f"Set up in {time.monotonic() - started:.0f} s.")


def install_vllm() -> None:
    """Build `.venv-vllm` on `.venv`: it sees the packages there, and adds or replaces those of requirements-vllm-cpu.txt."""
    requirements, stamp = ROOT / "requirements-vllm-cpu.txt", VLLM_VENV / "installed"
    wanted = digest(requirements) + STAMP.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    check_space()
    started = time.monotonic()
    shutil.rmtree(str(VLLM_VENV), ignore_errors=True)
    python = str(VLLM_VENV / "bin" / "python")
    if run_logged([str(VENV / "bin" / "python"), "-m", "venv", "--without-pip", str(VLLM_VENV)]) != 0:
        raise SetupError(f"could not create {VLLM_VENV.name}; the reason is at the end of {LOG}")
    (base,) = VENV.glob("lib/python*/site-packages")
    (VLLM_VENV / base.relative_to(VENV) / "base.pth").write_text(f"{base}\n")
    print(f"Installing the packages of {requirements.name}; the first time takes some minutes.")
    run_pip(["--python", python, "install", "--no-deps", "-r", str(requirements)])
    stamp.write_text(wanted)
    print(f"Set up in {time.monotonic() - started:.0f} s.")


def is_installed(requirements: Path) -> bool:
    """Compare the stamp with the file. An environment with the development packages also has all others."""
    try:
        installed = STAMP.read_text().split()
    except OSError:
        return False
    last = installed[-1:]
    wanted = [digest(requirements), digest(ROOT / "requirements-dev.txt")]
    return bool(last) and last[0] in wanted


def digest(requirements: Path) -> str:
    """Digest a requirements file with those it includes, and the Python it was installed for."""
    text = requirements.read_text()
    for line in text.splitlines():
        if line.startswith("-r "):
            text += (requirements.parent / line[3:].strip()).read_text()
    return hashlib.sha256((text + os.path.realpath(str(VENV / "bin" / "python"))).encode()).hexdigest()


def make_environment() -> None:
    """Create `.venv` with venv, or with virtualenv where the machine has only that."""
    python = find_python()
    print(f"Creating .venv with {python}.")
    shutil.rmtree(str(VENV), ignore_errors=True)
    if can_import(python, "ensurepip") and can_import(python, "venv"):
        command = [python, "-m", "venv", str(VENV)]
    elif can_import(python, "virtualenv"):
        command = [python, "-m", "virtualenv", str(VENV)]
    elif shutil.which("virtualenv"):
        command = ["virtualenv", "--python", python, str(VENV)]
    else:
        raise SetupError("found Python without venv; run: apt-get install python3-venv, then the same command again")
    if run_logged(command) != 0:
        raise SetupError(f"could not create .venv; the reason is at the end of {LOG}")


def find_python() -> str:
    """Find a Python that is new enough, this one first."""
    if sys.version_info[:2] >= OLDEST:
        return os.path.realpath(sys.executable) if sys.prefix != sys.base_prefix else sys.executable
    for minor in (13, 12, 11, 14):
        found = shutil.which(f"python3.{minor}")
        if found and works(Path(found)):
            return found
    found_version = ".".join(map(str, sys.version_info[:3]))
    raise SetupError(
        f"found Python {found_version}, expected 3.11 or later; run: apt-get install python3.11 python3.11-venv"
    )


def works(python: Path) -> bool:
    """Tell whether this Python starts and is new enough."""
    check = f"import sys; sys.exit(sys.version_info[:2] < {OLDEST})"
    return python.exists() and subprocess.call([str(python), "-c", check], stderr=subprocess.DEVNULL) == 0


def can_import(python: str, module: str) -> bool:
    """Tell whether a Python has a module, without loading it into this one."""
    return (
        subprocess.call([python, "-c", f"import {module}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    )


def run_pip(arguments: list[str]) -> None:
    """Run pip with its output in the log and one line of progress on the screen."""
    with open(LOG, "a") as log:
        log.write(f"\n$ pip {' '.join(arguments)}\n")
        process = subprocess.Popen(
            [*PIP, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=str(ROOT)
        )
        assert process.stdout is not None
        output = []
        for line in process.stdout:
            log.write(line)
            log.flush()
            output.append(line)
            show_progress(line.split())
        status = process.wait()
    clear_progress()
    if status != 0:
        raise SetupError(explain("".join(output)))


def explain(output: str) -> str:
    """Turn pip's output into a sentence."""
    for sign, sentence in PIP_PROBLEMS:
        if sign in output:
            return f"{sentence}, then run the same command again (details: {LOG})"
    errors = [line.strip() for line in output.splitlines() if line.startswith("ERROR")]
    return f"pip failed: {errors[-1] if errors else 'no reason given'} (details: {LOG})"


def show_progress(words: list[str]) -> None:
    """Show which package is at work: on a terminal in one line, elsewhere only the long last step."""
    if words[:1] == ["Installing"]:
        text = f"  installing {len(words) - 3} packages ..."
    elif words[:1] in (["Collecting"], ["Downloading"], ["Building"]) and len(words) > 1:
        text = f"  {words[0].lower()} {words[1].split('/')[-1]}"
    else:
        return
    if sys.stdout.isatty():
        print(f"\r\033[K{text[:100]}", end="", flush=True)
    elif words[0] == "Installing":
        print(text, flush=True)


def clear_progress() -> None:
    """End the line of progress."""
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)


# The machine ----------------------------------------------------------------------------------------------------


def check_writable() -> None:
    """Make the folder for what is kept between calls; raises SetupError where that may not be."""
    try:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(LOG.parent)) as probe:
            probe.write(b"x" * 4096)
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise SetupError(f"found no space left on the disk of {ROOT}; free about 3 GB") from None
        raise SetupError(
            f"found {ROOT} not writable ({error.strerror}), expected a folder where .venv and var can be made; "
            "copy the project to such a folder"
        ) from None


def check_space() -> None:
    """Raise SetupError before pip fills the disk."""
    free = shutil.disk_usage(str(ROOT)).free
    if free < NEEDED_BYTES:
        raise SetupError(
            f"found {free / 1e9:.1f} GB free on the disk of {ROOT}, expected about {NEEDED_BYTES / 1e9:.0f} GB; free some"
        )


def run_logged(command: list[str]) -> int:
    """Run a command with its output in the log; return its status."""
    with open(LOG, "a") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        return subprocess.call(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=str(ROOT))


# The browser ----------------------------------------------------------------------------------------------------


def install_browser() -> None:
    """Install Chromium through apt where it is missing and that is allowed; else the browser tests say what they lack."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print("Found no Chromium; the browser tests will be skipped. To have them: apt-get install chromium")
        return
    print("Installing Chromium for the browser tests.")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    is_done = run_logged(["apt-get", "update"]) == 0 and run_logged(["apt-get", "install", "-y", "chromium"]) == 0
    if not is_done:
        print(f"Could not install Chromium (details: {LOG}); the browser tests will be skipped.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Have a model of the hub downloaded, by a process that may use the network; this one may not, and only watches it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from workers.model_dir import ModelSourceSpec
from workers.stage_dir import Progress, StageDir, read_document, write_document
from workers.training.bad_spec import BadSpecError
from workers.training.process import StopRequest

LOOK_SECONDS = 0.5
STOP_SECONDS = 20.0
FETCHED = "fetched.json"
MIB = 2**20


class Fetched(BaseModel):
    """How a download stands: its size once that is known, and at its end the hub's commit or the reason why not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_bytes: int = 0
    commit: str = ""
    reason: str = ""


def download(spec: ModelSourceSpec, folder: StageDir, stop: StopRequest) -> str | None:
    """Download a model and return its commit; None where a stop was asked for, after which another attempt goes on from there.

    Raises BadSpecError with the reason where it fails.
    """
    ending = folder.path / FETCHED
    ending.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",  # plain requests go on where a file was left
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [sys.executable, "-m", "workers.training.models.fetch", str(folder.path)]
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(command, env=environment, cwd=root)  # noqa: S603 - our own module
    try:
        while process.poll() is None:
            if stop.is_set():
                return None
            _tell(folder, read_document(ending, Fetched), Path(spec.folder))
            time.sleep(LOOK_SECONDS)
    finally:
        _end(process)
    fetched = read_document(ending, Fetched)
    if fetched is None or not fetched.commit:
        reason = fetched.reason if fetched else ""
        raise BadSpecError(
            reason or f"the download ended without a word (exit status {process.returncode}); see the log, then retry"
        )
    return fetched.commit


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tell(folder: StageDir, fetched: Fetched | None, where: Path) -> None:
    """Say how many MiB are there of how many; what is not whole yet lies in a hidden folder beside the rest."""
    there = 0
    for path in where.rglob("*"):
        try:
            there += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # renamed into place meanwhile
    total = fetched.n_bytes if fetched else 0
    step = min(there, total) // MIB
    write_document(folder.progress, Progress(substep="download", step=step, steps=total // MIB, at=time.time()))

"""Download a model of the hub into its folder below MODELS_DIR: python -m workers.training.models.fetch FOLDER.

Only safetensors, tokenizer and settings: nothing that is code or pickled. Files are written beside and renamed when whole, so
that a download that was cut off goes on where it stopped. Needs HF_HUB_OFFLINE=0 from its start, which the library reads once.
"""

import errno
import os
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from workers.model_dir import ModelSourceSpec
from workers.stage_dir import StageDir, read_document, write_document
from workers.training.models.download import FETCHED, Fetched

WANTED = (
    "*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json",
    "added_tokens.json", "vocab.*", "merges.txt", "*.model", "chat_template.*", "LICENSE*", "README.md",
)  # fmt: skip
SPARE_BYTES = 2**30  # of the disk, which a download leaves free
ELSEWHERE = "or put the model's folder below MODELS_DIR yourself and register it from there"


class _RefusedError(Exception):
    """A download that is not begun; the message is for a person."""


def main(argv: list[str]) -> int:
    """Download, and leave how it ended beside spec.json; returns the exit status."""
    folder = StageDir(Path(argv[1]))
    spec = read_document(folder.spec, ModelSourceSpec)
    assert spec is not None
    ending = folder.path / FETCHED
    try:
        commit = _fetch(spec, ending)
    except (_RefusedError, httpx2.HTTPError, OSError, HFValidationError) as error:
        reason = _words(error, spec)
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        write_document(ending, Fetched(reason=reason))
        return 1
    write_document(ending, Fetched(commit=commit))
    return 0


def _fetch(spec: ModelSourceSpec, ending: Path) -> str:
    where, revision = Path(spec.folder), spec.revision or None
    info = HfApi().model_info(spec.hub, revision=revision, files_metadata=True)
    files = [(file.rfilename, file.size or 0) for file in info.siblings or []]
    wanted = [(name, size) for name, size in files if "/" not in name and any(fnmatch(name, like) for like in WANTED)]
    if not any(name.endswith(".safetensors") for name, _ in wanted):
        raise _RefusedError(
            f"'{spec.hub}' has no safetensors, and pickled weights are never read here; take another model"
        )
    n_bytes = sum(size for _, size in wanted)
    where.mkdir(parents=True, exist_ok=True)
    there = sum(path.stat().st_size for path in where.rglob("*") if path.is_file())
    free = shutil.disk_usage(where).free
    if n_bytes - there > free - SPARE_BYTES:
        raise _RefusedError(
            f"'{spec.hub}' needs {(n_bytes - there) / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free below MODELS_DIR; free some "
            "space, then retry"
        )
    write_document(ending, Fetched(n_bytes=n_bytes))
    commit = info.sha or ""
    snapshot_download(
        spec.hub, revision=commit or revision, local_dir=where, allow_patterns=[name for name, _ in wanted]
    )
    return commit or "unknown"


def _words(error: Exception, spec: ModelSourceSpec) -> str:
    """Say what went wrong, and what to do."""
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, GatedRepoError):
        return f"'{spec.hub}' is given only to those who accepted its conditions; accept them and log in on the worker (hf auth login), {ELSEWHERE}"
    if isinstance(error, RevisionNotFoundError):
        return f"found no revision '{spec.revision}' of '{spec.hub}'; leave it out for the main branch"
    if isinstance(error, RepositoryNotFoundError | HFValidationError):
        return f"found no model '{spec.hub}' on the hub, or it is private; check its spelling, owner/name"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space below MODELS_DIR, then retry: the download goes on where it stopped"
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return f"the hub answered {error.response.status_code}; retry later: the download goes on where it stopped"
    if isinstance(error, httpx2.HTTPError | LocalEntryNotFoundError | ConnectionError):
        return f"the hub cannot be reached from this worker; give it a way to the network, {ELSEWHERE}. A retry goes on where it stopped"
    return f"the download failed: {error}"[:1000]


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main(sys.argv))

"""The archive of an export: what any tar reads, as long as announced, never held as a whole."""

import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from runs.exchange.archive import BLOCK, FileChangedError, Member, archive_blocks, archive_length


def _file(path: Path, n_bytes: int) -> Member:
    path.write_bytes(bytes(range(256)) * (n_bytes // 256) + b"x" * (n_bytes % 256))
    return Member(path.name, n_bytes, path)


def test_tar_reads_it_and_its_length_is_what_was_said(tmp_path: Path) -> None:
    long_name = "shards/" + "m" * 120 + ".safetensors"
    files = [_file(tmp_path / "model.safetensors", 2 * BLOCK + 5), _file(tmp_path / "empty", 0)]
    members = [Member("README.md", 4, b"card"), *files, Member(long_name, 512, bytes(512))]
    data = b"".join(archive_blocks(members, folder="demo-1-mopd", dated=1_800_000_000))
    assert len(data) == archive_length(members, folder="demo-1-mopd", dated=1_800_000_000)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == [f"demo-1-mopd/{member.name}" for member in members]
        assert {info.mtime for info in archive} == {1_800_000_000}
        unpacked = archive.extractfile("demo-1-mopd/model.safetensors")
        assert unpacked is not None
        assert unpacked.read() == (tmp_path / "model.safetensors").read_bytes()


def test_a_file_above_eight_gibibytes_has_a_header() -> None:
    member = Member("model.safetensors", 2**34, b"")
    header = next(archive_blocks([member], folder="demo", dated=0))
    info = tarfile.TarInfo.frombuf(header[-tarfile.BLOCKSIZE :], "utf-8", "strict")
    assert b"size=17179869184" in header
    assert info.name == "demo/model.safetensors"


def test_a_large_file_is_never_held_as_a_whole(tmp_path: Path) -> None:
    with open(tmp_path / "model.safetensors", "wb") as handle:
        handle.truncate(64 * BLOCK)
    member = Member("model.safetensors", 64 * BLOCK, tmp_path / "model.safetensors")
    tracemalloc.start()
    assert sum(len(block) for block in archive_blocks([member], folder="demo", dated=0)) > 64 * BLOCK
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * BLOCK


def test_a_file_that_became_shorter_breaks_it_off(tmp_path: Path) -> None:
    member = _file(tmp_path / "model.safetensors", 1000)
    (tmp_path / "model.safetensors").write_bytes(b"short")
    with pytest.raises(FileChangedError, match=r"model\.safetensors became 995 bytes shorter"):
        list(archive_blocks([member], folder="demo", dated=0))

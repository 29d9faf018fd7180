"""A tar archive that is made while it is sent: one block of it is held at a time, and its length is known beforehand."""

import tarfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20  # bytes read at once
_END = bytes(2 * tarfile.BLOCKSIZE)


class FileChangedError(RuntimeError):
    """A file is no longer what was announced; the archive cannot go on, and whoever receives it sees that it broke off."""


@dataclass(frozen=True)
class Member:
    """One file of an archive: what it is called there, how long it is, and where it comes from."""

    name: str
    n_bytes: int
    source: Path | bytes


def archive_length(members: Sequence[Member], *, folder: str, dated: int) -> int:
    """Count the bytes of an archive without making it."""
    padded = sum(len(_header(member, folder, dated)) + member.n_bytes + len(_padding(member)) for member in members)
    return padded + len(_END)


def archive_blocks(members: Sequence[Member], *, folder: str, dated: int) -> Generator[bytes]:
    """Yield an archive whose files lie in one folder, all of one date (seconds since the epoch).

    Raises FileChangedError, OSError where a file is gone.
    """
    for member in members:
        yield _header(member, folder, dated)
        yield from _content(member)
        yield _padding(member)
    yield _END


def _header(member: Member, folder: str, dated: int) -> bytes:
    """Write a header, in pax format: older ones know no file above 8 GiB."""
    info = tarfile.TarInfo(f"{folder}/{member.name}")
    info.size, info.mtime = member.n_bytes, dated
    return info.tobuf(tarfile.PAX_FORMAT)


def _content(member: Member) -> Generator[bytes]:
    if isinstance(member.source, bytes):
        yield member.source
        return
    left = member.n_bytes
    with open(member.source, "rb") as handle:
        while left and (block := handle.read(min(BLOCK, left))):
            left -= len(block)
            yield block
    if left:
        raise FileChangedError(f"{member.name} became {left:,} bytes shorter while it was sent")


def _padding(member: Member) -> bytes:
    return bytes(-member.n_bytes % tarfile.BLOCKSIZE)

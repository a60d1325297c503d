"""The files in an archive, one by one, without trusting a word of what it says of them."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import UserError

MAX_ENTRIES = 100_000
MAX_RATIO = 100  # bytes unpacked for each byte of the archive, beyond the first ones
FREE_BYTES = 256 << 20
ENDINGS = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz")
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError,
    NotImplementedError, ValueError,
)  # fmt: skip
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Entry:
    """One file in an archive; `why_not` says why it must not be unpacked."""

    name: str
    open: Callable[[], IO[bytes] | None]
    why_not: str = ""


class Unreadable(UserError):
    """An entry that cannot be unpacked; others may."""


@dataclass
class Archive:
    """An open archive, and how much more may be unpacked from it."""

    path: Path
    entries: Callable[[], Iterator[Entry]]
    left: int

    def read(self, entry: Entry, largest: int) -> bytes:
        """An entry's bytes; Unreadable where it is too large, locked or broken."""
        data = bytearray()
        try:
            stream = entry.open()
            if stream is None:
                raise Unreadable("This is no file", entry.name)
            with stream:
                while block := stream.read(_BLOCK):
                    data += block
                    self._count(len(block))
                    if len(data) > largest:
                        break
        except BROKEN as error:
            raise Unreadable(f"Cannot be unpacked ({error})", entry.name) from error
        if len(data) > largest:
            raise Unreadable(f"Larger than the limit of {largest / 2**20:g} MB", entry.name)
        return bytes(data)

    def _count(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise Bomb(self.path)


class Bomb(UserError):
    """An archive that unpacks to far more than its own size."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "This archive unpacks to far more than its size allows", path,
            "Unpack it yourself if you trust it, and give the folder.",
        )  # fmt: skip


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """An archive of a kind that Python reads; UserError for any other file."""
    left = FREE_BYTES + MAX_RATIO * path.stat().st_size
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                yield Archive(path, lambda: _limited(path, _in_zip(packed)), left)
            return
        if path.name.lower().endswith(ENDINGS):
            yield Archive(path, lambda: _limited(path, _in_tar(path, left)), left)
            return
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise UserError(f"This archive is broken ({error})", path, "Fetch it again.") from error
    raise UserError("This is no archive that can be read here", path, "Give a zip or tar file.")


def _limited(path: Path, entries: Iterator[Entry]) -> Iterator[Entry]:
    for count, entry in enumerate(entries):
        if count >= MAX_ENTRIES:
            raise UserError(f"This archive has more than {MAX_ENTRIES} files", path, "Unpack it.")
        yield entry


def _in_zip(packed: zipfile.ZipFile) -> Iterator[Entry]:
    for info in packed.infolist():
        if info.is_dir():
            continue
        why_not = outside(info.filename)
        if stat.S_ISLNK(info.external_attr >> 16):
            why_not = "a link is not followed"
        elif info.flag_bits & 1:
            why_not = "locked with a password"
        yield Entry(info.filename, lambda info=info: packed.open(info), why_not)  # type: ignore[misc]


def _in_tar(path: Path, left: int) -> Iterator[Entry]:
    with tarfile.open(path, "r:*") as packed:
        for member in packed:
            if packed.offset > left:  # what is passed over is unpacked all the same
                raise Bomb(path)
            if member.isdir():
                continue
            why_not = outside(member.name)
            if not member.isfile():
                why_not = (
                    "a link is not followed" if member.islnk() or member.issym() else "no file"
                )
            yield Entry(
                member.name, lambda member=member: packed.extractfile(member), why_not  # type: ignore[misc]
            )  # fmt: skip


def outside(name: str) -> str:
    """Why an entry's name leads out of the folder it is unpacked to; "" if it does not."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = len(name) > 1 and name[1] == ":"
    leads_out = path.is_absolute() or drive or ".." in path.parts
    return "its name leads out of the folder" if leads_out else ""

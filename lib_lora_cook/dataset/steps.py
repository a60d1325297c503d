"""The few things that happen to files, each safe to cut short and safe to undo twice.

Names are relative to the dataset's folder, kept and staged files lie in the trash folder of the
operation. `do` refuses to overwrite what it does not keep; `undo` finds out by itself how far `do`
or an earlier `undo` has come, and never deletes a file that someone else has changed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from .images import Stamp, content_hash, stamp_of

STAGED = ".new"
_AT_ONCE = 8
"""Files waited for together: a disk brings eight to safety in the time that one takes."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Step:
    """put: staged file `new` becomes `name`, the original goes to `kept`, if there was one.

    move: `name` becomes `to`. trash: `name` goes to `kept`. mkdir: folder `name` comes to be.
    """

    op: Literal["put", "move", "trash", "mkdir"]
    name: str
    to: str = ""
    new: str = ""
    kept: str = ""
    before: Stamp | tuple[int, int] | None = None  # of the file as it was
    after: Stamp | tuple[int, int] | None = None  # of the file that a put brought
    sha256: str = ""  # of the same


@dataclass(frozen=True)
class Place:
    """A dataset's folder and the trash folder of one operation in it."""

    folder: Path
    trash: Path

    def do(self, step: Step) -> None:
        """Make one step; OSError if it cannot be made, and then `undo` has nothing to lose."""
        name, new = os.path.join(self.folder, step.name), os.path.join(self.trash, step.new)
        if step.before is not None and stamp_of(name) != step.before:
            raise FileNotFoundError(errno.ENOENT, "changed on disk in this moment", name)
        if step.op == "mkdir":
            os.makedirs(name, exist_ok=True)
        elif step.op == "move":
            _rename_free(name, os.path.join(self.folder, step.to))
        elif step.op == "trash":
            kept = os.path.join(self.trash, step.kept)
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            os.replace(name, kept)
        elif step.kept:
            _keep_copy(name, os.path.join(self.trash, step.kept))
            shutil.copymode(name, new)
            os.replace(new, name)
        else:
            _rename_free(new, name)

    def undo(self, step: Step) -> str:
        """Take one step back, however much of it was made; a line for the person, mostly ""."""
        if step.op == "put":
            return self._undo_put(step)
        if step.op == "trash":
            return self._back(self.trash / step.kept, step.name)
        if step.op == "move":
            if stamp_of(self.folder / step.name) == step.before:
                return ""  # was never moved, or is back already
            return self._back(self.folder / step.to, step.name)
        with suppress(OSError):  # not empty: others use it
            (self.folder / step.name).rmdir()
        return ""

    def _undo_put(self, step: Step) -> str:
        name = self.folder / step.name
        if not step.kept:
            return self._take_away(step)
        kept = self.trash / step.kept
        if not os.path.lexists(kept):
            return ""
        if stamp_of(name) == step.before:  # cut short before the new file came
            kept.unlink()
            return ""
        if self._is_ours(step):
            os.replace(kept, name)
            return ""
        return self._back(kept, step.name)

    def _take_away(self, step: Step) -> str:
        """Remove a file that a put brought where nothing was; set it aside if it has changed."""
        name = self.folder / step.name
        if not os.path.lexists(name) or os.path.lexists(self.trash / step.new):
            return ""
        if self._is_ours(step):
            name.unlink()
            return ""
        return self._set_aside(step.name)

    def _back(self, source: Path, name: str) -> str:
        """Put a file back under its name; another one that has taken the name is set aside."""
        if not os.path.lexists(source):
            return ""
        target = self.folder / name
        taken = os.path.lexists(target) and not _same(source, target)
        message = self._set_aside(name) if taken else ""
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
        return message

    def _set_aside(self, name: str) -> str:
        place = free_path(self.trash / "changed" / name)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.folder / name, place)
        return f"{name} was changed by someone else; that version is kept as {place}"

    def _is_ours(self, step: Step) -> bool:
        name = self.folder / step.name
        if stamp_of(name) == step.after:
            return True
        try:
            return content_hash(name) == step.sha256
        except OSError:
            return False


def stage(trash: Path, name: str, number: int, data: bytes, times_of: Path | None = None) -> Step:
    """Write a new file beside the dataset; the step that puts it there under its name.

    It is safe on the disk once `sync_file` has seen it.
    """
    new = os.path.join(trash, STAGED, str(number))
    if number == 1:
        os.makedirs(os.path.dirname(new), exist_ok=True)
    try:
        _write_all(new, data)
    except OSError:
        with suppress(OSError):  # on a full disk the next one may find room
            os.unlink(new)
        raise
    if times_of is not None:
        shutil.copystat(times_of, new)
    digest = hashlib.sha256(data).hexdigest()
    return Step("put", name, new=f"{STAGED}/{number}", after=stamp_of(new), sha256=digest)


def _write_all(file: str, data: bytes) -> None:
    """Every byte: a disk that becomes full takes a part without a word, and only then fails."""
    with open(file, "wb", buffering=0) as out:
        left = memoryview(data)
        while left:
            left = left[out.write(left) or 0 :]


def sync_file(file: str) -> OSError | None:
    """Bring a file to the disk; what went wrong, if something did."""
    try:
        handle = os.open(file, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        return error
    return None


def each(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Work on the disk done for several items at once; results in their order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(work, items)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system lets a folder be opened for that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def free_path(path: Path) -> Path:
    """This path, or with ~2, ~3 … the first that is not there."""
    wanted, number = path, 1
    while os.path.lexists(wanted):
        number += 1
        wanted = path.with_name(f"{path.name}~{number}")
    return wanted


def _keep_copy(name: str, kept: str) -> None:
    """A second name for the file, or where the disk knows no links, a copy with its times."""
    try:
        _link(name, kept)
    except FileNotFoundError:  # the first of its folder
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        _link(name, kept)


def _link(name: str, kept: str) -> None:
    if os.path.islink(name):
        os.symlink(os.readlink(name), kept)
        return
    try:
        os.link(name, kept)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(name, kept)


def _rename_free(source: str, target: str) -> None:
    if os.path.lexists(target) and not _same(source, target):
        raise FileExistsError(errno.EEXIST, "there is a file of this name already", target)
    os.rename(source, target)


def _same(one: str | Path, other: str | Path) -> bool:
    """Whether two names are one file, as a.PNG and a.png are where case is folded."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False

"""One writer at a time for a dataset; the system frees the lock of a process that dies."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError

_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class Locked(UserError):
    """A dataset that another program is changing."""


@contextmanager
def locked(file: Path, folder: Path) -> Iterator[None]:
    """Hold the lock file; UserError naming the folder if another program or thread holds it."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _lock(handle)
        except OSError as error:
            if error.errno in _BUSY:
                raise Locked(
                    "Another program is changing this dataset",
                    folder,
                    "Wait until it has finished.",
                ) from error
            # some network folders know no locks: better to work there than not at all
        yield
    finally:
        os.close(handle)  # frees the lock


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

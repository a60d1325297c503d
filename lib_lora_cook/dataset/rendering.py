"""New pictures made ahead of the journal, on every core.

Pillow lets go of the interpreter while it decodes and encodes, so threads are enough.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from .changes import Change
from .edits import encode_picture
from .images import Stamp, open_image, stamp_of


def cores() -> int:
    """The cores that this process may use, which need not be all of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


THREADS = min(8, cores())
"""More than eight whole pictures at once would cost too much memory."""

Ahead = Future[tuple[Stamp | None, bytes]]


def rendered_ahead(changes: Iterable[Change]) -> Generator[tuple[Change, Ahead | None], None, None]:
    """The changes in their order, with the new file's bytes where a picture is written."""
    waiting: deque[tuple[Change, Ahead | None]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for change in changes:
                started = pool.submit(_stamped, change) if change.kind == "picture" else None
                waiting.append((change, started))
                if len(waiting) > 2 * THREADS:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, unused in waiting:
                if unused is not None:
                    unused.cancel()


def rendered(change: Change, ahead: Ahead | None = None) -> bytes:
    """The new file's bytes; made again where the picture has changed since they were made ahead.

    Raises UserError for a picture that cannot be read, edited or written.
    """
    if ahead is not None:
        stamp, data = _result(ahead)
        if data and stamp == stamp_of(change.path):
            return data
    image = open_image(change.path)
    for edit in change.edits:
        image = edit(image)
    return encode_picture(image, os.path.splitext(change.to or change.path)[1])


def _result(ahead: Ahead) -> tuple[Stamp | None, bytes]:
    """Nothing where it failed: an earlier change of the same operation may have mended that."""
    return (None, b"") if ahead.exception() is not None else ahead.result()


def _stamped(change: Change) -> tuple[Stamp | None, bytes]:
    return stamp_of(change.path), rendered(change)

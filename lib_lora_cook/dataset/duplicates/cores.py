"""Work on all cores: numpy, Pillow and OpenCV let go of Python while they work."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ...jobs import Job

_CHUNK = 64
_FEW = 3  # items for which threads do not pay
_MOST = 4  # threads that hold large arrays

Item = TypeVar("Item")
Made = TypeVar("Made")


def mapped(make: Callable[[Item], Made], items: Sequence[Item], job: Job, what: str) -> list[Made]:
    """`make` of each item, `what` reported to the job."""
    if len(items) < _FEW:
        return [make(item) for item in items]
    made: list[Made] = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(items), _CHUNK):
            job.check()
            made += threads.map(make, items[start : start + _CHUNK])
            job.report(len(made), len(items), what)
    return made


def spread(make: Callable[[slice], Made], count: int, step: int) -> list[Made]:
    """`make` of each run of at most `step` of `count` numbers, in order."""
    parts = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    if len(parts) < 2:
        return [make(part) for part in parts]
    with ThreadPoolExecutor(min(_MOST, os.cpu_count() or 1)) as threads:
        return list(threads.map(make, parts))

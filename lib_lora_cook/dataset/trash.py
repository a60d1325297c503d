"""What the journal keeps of operations, how large that is, and emptied when a person says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .images import OWN_FOLDER
from .journal import history, opened


@dataclass(frozen=True)
class Kept:
    """The originals of one operation: how many files, and their bytes on the disk."""

    id: str
    what: str
    time: str
    files: int
    bytes: int


def kept_originals(folder: Path) -> list[Kept]:
    """What lies in the trash of a dataset, oldest first; UserError if there is no such folder."""
    if not folder.is_dir():
        raise UserError("There is no such folder", folder, "Check the name.")
    found = []
    for entry in history(folder):
        sizes = list(_sizes(folder / OWN_FOLDER / "trash" / entry.id))
        if sizes:
            found.append(Kept(entry.id, entry.what, entry.time, len(sizes), sum(sizes)))
    return found


def empty_trash(folder: Path, ids: Iterable[str] | None = None) -> list[Kept]:
    """Delete the originals of these operations, or of all, for good; what was deleted.

    The journal is told first, so that none of them is ever undone by half. UserError for an
    unknown operation, or a dataset that another program is changing.
    """
    wanted = None if ids is None else set(ids)
    kept = [it for it in kept_originals(folder) if wanted is None or it.id in wanted]
    unknown = (wanted or set()) - {it.id for it in kept}
    if unknown:
        raise UserError("Nothing is kept of this operation", ", ".join(sorted(unknown)))
    if not kept:
        return []
    with opened(folder) as journal:
        journal.recover()
        journal.tell_emptied([int(it.id) for it in kept])
        for it in kept:
            shutil.rmtree(folder / OWN_FOLDER / "trash" / it.id, ignore_errors=True)
    return kept


def _sizes(folder: Path) -> Iterable[int]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield os.lstat(os.path.join(place, name)).st_size

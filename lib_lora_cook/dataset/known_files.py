"""What was found out about a folder's files, remembered by name, size and time.

A JSON file of the dataset's own folder; it may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import Any

from .images import OWN_FOLDER, Stamp

Facts = list[Any]
"""Numbers and words as JSON has them."""


class KnownFiles:
    """Facts by a file's name; what is new is written on the way out, if that can be.

    there: the names of the files that are; what is no longer there is forgotten. Without a folder
    nothing is kept.
    """

    def __init__(self, folder: Path | None, name: str, version: int, there: Container[str]) -> None:
        self._file = folder / OWN_FOLDER / name if folder else None
        self._version = version
        known = _read(self._file, version) if self._file else {}
        self._used = {name: it for name, it in known.items() if name in there}
        self._changed = len(self._used) != len(known)

    def of(self, name: str, size: int, time: int) -> Facts | None:
        """What is known of a file of this size and time in nanoseconds."""
        known = self._used.get(name)
        return known[2] if known and known[0] == size and known[1] == time else None

    def add(self, name: str, stamp: Stamp | None, facts: Facts) -> None:
        """Remember facts of a file that was like this when they were found out."""
        if stamp is not None:
            self._used[name] = [*stamp, facts]
            self._changed = True

    def __enter__(self) -> KnownFiles:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None or not self._changed:
            return
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        text = json.dumps({"version": self._version, "files": self._used})
        with suppress(OSError):  # a full disk costs the next look its speed
            self._file.parent.mkdir(exist_ok=True)
            new.write_text(text, encoding="ascii")
            os.replace(new, self._file)


def _read(file: Path, version: int) -> dict[str, Facts]:
    try:
        kept = json.loads(file.read_text(encoding="ascii"))
        files: dict[str, Facts] = kept["files"] if kept["version"] == version else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files

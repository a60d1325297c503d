"""What the headers of a folder's pictures say, remembered by name, size and time.

A file of the dataset's own folder; it may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import Any

from .images import OWN_FOLDER, ImageFile, Stamp, read_image_file

_VERSION = 2  # of what is remembered; another one starts anew
Header = list[Any]
"""Bytes and nanoseconds of the file, width, height, format, has_alpha, animated; as JSON has it."""


class HeaderIndex:
    """The headers of one folder; what is new is written on the way out, if that can be.

    there: the names of the files in it; what is no longer there is forgotten.
    """

    def __init__(self, folder: Path, there: Container[str]) -> None:
        self._folder = folder
        self.file = folder / OWN_FOLDER / "headers.json"
        self._known = _read(self.file)
        self._used = {name: it for name, it in self._known.items() if name in there}

    def header(self, entry: os.DirEntry[str]) -> Header:
        """A picture's header; UserError if it cannot be read."""
        known = self._used.get(entry.name)
        try:
            status = entry.stat()
        except OSError:
            known = None  # reading it says why
        else:
            if known and known[0] == status.st_size and known[1] == status.st_mtime_ns:
                return known
        it = read_image_file(Path(entry.path))
        header = [*(it.stamp or (0, 0)), it.width, it.height, it.format, it.has_alpha, it.animated]
        self._used[entry.name] = header
        return header

    def image(self, name: str, header: Header) -> ImageFile:
        """The picture of this name and header, without its caption."""
        size, time, width, height, kind, alpha, animated = header
        stamp = Stamp(size, time)
        return ImageFile(
            self._folder / name, width, height, kind, alpha, stamp=stamp, animated=animated
        )

    def __enter__(self) -> HeaderIndex:
        return self

    def __exit__(self, *_: object) -> None:
        if self._used == self._known:
            return
        new = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        text = json.dumps({"version": _VERSION, "files": self._used})
        with suppress(OSError):  # a full disk costs the next look its speed
            self.file.parent.mkdir(exist_ok=True)
            new.write_text(text, encoding="ascii")
            os.replace(new, self.file)


def _read(file: Path) -> dict[str, Header]:
    try:
        kept = json.loads(file.read_text(encoding="ascii"))
        files: dict[str, Header] = kept["files"] if kept["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files

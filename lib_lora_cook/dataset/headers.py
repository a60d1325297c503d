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

_VERSION = 1  # of what is remembered; another one starts anew


class HeaderIndex:
    """The headers of one folder; what is new is written on the way out, if that can be.

    there: the names of the files in it; what is no longer there is forgotten.
    """

    def __init__(self, folder: Path, there: Container[str]) -> None:
        self._folder = folder
        self.file = folder / OWN_FOLDER / "headers.json"
        self._known = _read(self.file)
        self._used = {name: it for name, it in self._known.items() if name in there}

    def image(self, entry: os.DirEntry[str]) -> ImageFile:
        """A picture's header, without its caption; UserError if it cannot be read."""
        try:
            status = entry.stat()
        except OSError:
            return read_image_file(Path(entry.path))  # says why
        stamp = Stamp(status.st_size, status.st_mtime_ns)
        known = self._used.get(entry.name)
        if known is None or tuple(known[0]) != stamp:
            image = read_image_file(Path(entry.path))
            known = [list(stamp), [image.width, image.height, image.format, image.has_alpha]]
        self._used[entry.name] = known
        width, height, kind, alpha = known[1]
        return ImageFile(self._folder / entry.name, width, height, kind, alpha, stamp=stamp)

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


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        kept = json.loads(file.read_text(encoding="ascii"))
        files: dict[str, list[Any]] = kept["files"] if kept["version"] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files

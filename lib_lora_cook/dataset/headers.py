"""What the headers of a folder's pictures say, remembered from look to look."""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path

from .images import ImageFile, Stamp, read_image_file
from .known_files import Facts, KnownFiles

_VERSION = 3  # of what is remembered; another one starts anew


def known_headers(folder: Path, there: Container[str]) -> KnownFiles:
    """The headers of one folder that need not be read again; `there` are the names in it."""
    return KnownFiles(folder, "headers.json", _VERSION, there)


def header_of(known: KnownFiles, entry: os.DirEntry[str]) -> Facts:
    """Width, height, format, has_alpha and animated, then the stamp; UserError if unreadable."""
    try:
        status = entry.stat()
        size, time = status.st_size, status.st_mtime_ns
    except OSError:
        size, time = 0, 0  # reading it says why
    header = known.of(entry.name, size, time)
    if header is None:
        it = read_image_file(Path(entry.path))
        header = [it.width, it.height, it.format, it.has_alpha, it.animated]
        known.add(entry.name, it.stamp, header)
        size, time = it.stamp or (size, time)
    return [*header, size, time]


def image_of(path: Path, header: Facts) -> ImageFile:
    """The picture of this header, without its caption."""
    width, height, kind, alpha, animated, size, time = header
    stamp = Stamp(size, time)
    return ImageFile(path, width, height, kind, alpha, stamp=stamp, animated=animated)

"""Small copies of pictures, kept on disk so that a folder of thousands opens at once."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from PIL import Image

from .images import open_reduced, stamp_of
from .pixels import on_background

_QUALITY = 80


def read_thumbnail(path: Path, cache: Path, side: int) -> tuple[bytes, tuple[int, int]]:
    """(a JPEG of at most `side` pixels a side, the picture's own width and height).

    Made anew once the file has changed; a cache that cannot be written only forgets. UserError for
    what is no whole picture.
    """
    name = f"{os.path.abspath(path)}|{stamp_of(path)}|{side}"
    key = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    for kept in (cache / key[:2]).glob(f"{key[2:]}-*.jpg"):
        width, height = kept.stem.split("-")[1].split("x")
        with suppress(OSError):
            return kept.read_bytes(), (int(width), int(height))
    image, size = open_reduced(path, side)
    data = small_jpeg(image, side)
    with suppress(OSError):
        _write(cache / key[:2] / f"{key[2:]}-{size[0]}x{size[1]}.jpg", data)
    return data, size


def small_jpeg(image: Image.Image, side: int) -> bytes:
    """A JPEG of the picture, at most `side` pixels a side, transparency on white."""
    image.thumbnail((side, side), Image.Resampling.BOX)
    stream = io.BytesIO()
    on_background(image).save(stream, format="JPEG", quality=_QUALITY)
    return stream.getvalue()


def _write(path: Path, data: bytes) -> None:
    """The file whole, whoever else writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, part = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(number, "wb") as file:
        file.write(data)
    os.replace(part, path)

"""Small copies of pictures, kept on disk so that a folder of thousands opens at once.

They are kept by content, so a picture that is moved, copied or undone finds its own again.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from PIL import Image

from ..errors import UserError
from .images import Failure, Stamp, content_hash, open_reduced, stamp_of
from .pixels import on_background
from .rendering import THREADS

LIMIT = 512 << 20
"""Bytes on disk: some 40,000 thumbnails."""
_AFTER = 0.9
"""To what share of the limit the oldest are deleted."""
_QUALITY = 80


def make_thumbnails(
    paths: Sequence[Path], cache: Path, side: int, failed: list[Failure] | None = None
) -> dict[Path, bytes]:
    """Picture -> its small JPEG, made on every core where it is new; broken ones go to `failed`."""
    found: dict[Path, bytes] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        small = [pool.submit(read_thumbnail, path, cache, side) for path in paths]
        for path, made in zip(paths, small, strict=True):
            try:
                found[path] = made.result()[0]
            except UserError as error:
                if failed is not None:
                    failed.append((path, error.what))
    return found


def trim_thumbnails(cache: Path, limit: int = LIMIT) -> None:
    """Where they hold more than `limit` bytes, delete those not looked at for longest."""
    files = []
    for path in cache.glob("*/*.jpg"):
        with suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    held = sum(size for _, size, _ in files)
    if held <= limit:
        return
    for _, size, path in sorted(files):
        if held <= limit * _AFTER:
            return
        with suppress(OSError):
            path.unlink()
            held -= size


def read_thumbnail(path: Path, cache: Path, side: int) -> tuple[bytes, tuple[int, int]]:
    """(a JPEG of at most `side` pixels a side, the picture's own width and height).

    Made anew once the file has changed; a cache that cannot be written only forgets. UserError for
    what is no whole picture.
    """
    try:
        key = f"{_content(os.path.abspath(path), stamp_of(path))}_{side}"
    except OSError:
        image, size = open_reduced(path, side)  # says why
        return small_jpeg(image, side), size
    for kept in (cache / key[:2]).glob(f"{key[2:]}-*.jpg"):
        width, height = kept.stem.split("-")[1].split("x")
        with suppress(OSError):
            data = kept.read_bytes()
            os.utime(kept)  # what was looked at last stays longest
            return data, (int(width), int(height))
    image, size = open_reduced(path, side)
    data = small_jpeg(image, side)
    with suppress(OSError):
        _write(cache / key[:2] / f"{key[2:]}-{size[0]}x{size[1]}.jpg", data)
    return data, size


@lru_cache(maxsize=1 << 16)
def _content(path: str, stamp: Stamp | None) -> str:
    """The hash of a file's bytes; not read again while its size and time are the same."""
    return content_hash(Path(path))


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

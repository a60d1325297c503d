"""Whether a picture's file is whole, told from its end before a pixel is decoded."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image, ImageFile

_TIFF_PLACES = ((273, 279), (324, 325))  # where its strips or tiles begin, and their bytes
_PNG_END, _JPEG_END = b"IEND\xaeB`\x82", b"\xff\xd9"
_lock = threading.Lock()
_strict = [0, False]  # how many ask for it now, and what Pillow was set to before the first


@contextmanager
def strictly() -> Iterator[None]:
    """Pillow refuses what is cut short, even where another extension has told it to fill it up."""
    with _lock:
        if not _strict[0]:
            _strict[1] = ImageFile.LOAD_TRUNCATED_IMAGES
        _strict[0] += 1
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        with _lock:
            _strict[0] -= 1
            if not _strict[0]:
                ImageFile.LOAD_TRUNCATED_IMAGES = bool(_strict[1])


def looks_cut(image: Image.Image) -> bool:
    """Whether an opened picture's file ends too soon; some whole ones with odd ends do so as well.

    A few bytes are read where the end is as it mostly is; the file is left where it was.
    """
    file = getattr(image, "fp", None)
    test = _TESTS.get(image.format or "")
    if file is None or test is None:
        return False
    place = file.tell()
    try:
        return test(image, file, file.seek(0, os.SEEK_END))
    except (OSError, ValueError, TypeError, LookupError, struct.error):
        return True
    finally:
        file.seek(place)


def _tail(file: BinaryIO, count: int) -> bytes:
    file.seek(-count, os.SEEK_END)
    return file.read(count)


def _png(image: Image.Image, file: BinaryIO, size: int) -> bool:
    """The last chunk has this name and checksum; other programs put their own behind it."""
    return _PNG_END not in _tail(file, 12) and _PNG_END not in _all(file)


def _jpeg(image: Image.Image, file: BinaryIO, size: int) -> bool:
    """No end mark behind the first scan's start; phones put a film behind the picture."""
    if _tail(file, 2) == _JPEG_END:
        return False
    data, place = _all(file), 2
    while data[place] == 0xFF and data[place + 1] != 0xDA:  # segments with their length
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return data.find(_JPEG_END, place) < 0


def _all(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _riff(image: Image.Image, file: BinaryIO, size: int) -> bool:
    """WebP says in its fifth to eighth byte how many follow."""
    file.seek(4)
    return int(struct.unpack("<I", file.read(4))[0]) + 8 > size


def _bmp(image: Image.Image, file: BinaryIO, size: int) -> bool:
    """Rows of one length from one place on; the header's own size of the file is often wrong."""
    kind, _, offset, details = image.tile[0]  # type: ignore[attr-defined]
    return bool(kind == "raw" and offset + details[1] * image.height > size)


def _tiff(image: Image.Image, file: BinaryIO, size: int) -> bool:
    """Strips or tiles at places that the tags tell."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    ends = [
        begin + count
        for places, counts in _TIFF_PLACES
        if places in tags
        for begin, count in zip(tags[places], tags[counts], strict=False)
    ]
    return max(ends, default=0) > size


def _boxes(image: Image.Image, file: BinaryIO, size: int) -> bool:
    """AVIF is a row of boxes (ISO 14496-12, 4.2), each with its length in front."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(16)
        length = int(struct.unpack(">I", head[:4])[0])
        if length == 1:
            length = int(struct.unpack(">Q", head[8:16])[0])
        if length == 0:  # to the end of the file
            return False
        if length < 8:
            return True
        place += length
    return place > size


_Test = Callable[[Image.Image, BinaryIO, int], bool]
_TESTS: dict[str, _Test] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "MPO": _jpeg,
    "GIF": lambda image, file, size: _tail(file, 2) != b"\0;",
    "WEBP": _riff,
    "BMP": _bmp,
    "TIFF": _tiff,
    "AVIF": _boxes,
}

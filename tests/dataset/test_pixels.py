"""Transparency is flattened in every kind of file that carries it."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_lora_cook.dataset.changes import plan_flatten
from lib_lora_cook.dataset.images import open_image, scan_subset
from lib_lora_cook.dataset.journal import apply_changes

CLEAR, BLUE = (0, 0, 0, 0), (10, 20, 230, 255)


def png(depth: int, colour: int, row: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 2 x 1 pixels with these chunks before the pixels."""
    header = struct.pack(">2I5B", 2, 1, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def halves() -> Image.Image:
    """Left clear, right opaque."""
    image = Image.new("RGBA", (2, 1), CLEAR)
    image.putpixel((1, 0), BLUE)
    return image


def saved(ending: str, mode: str = "RGBA", **options: object) -> Callable[[Path], None]:
    def save(folder: Path) -> None:
        halves().convert(mode).save(folder / f"a{ending}", **options)

    return save


def written(data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "a.png").write_bytes(data)

    return write


KINDS = {
    "RGBA PNG": saved(".png"),
    "LA PNG": saved(".png", "LA"),
    "RGBA WebP": saved(".webp", lossless=True),
    "RGBA TIFF": saved(".tiff"),
    "LA TIFF": saved(".tiff", "LA"),
    "palette GIF": saved(".gif"),
    "palette PNG": written(
        png(8, 3, bytes([0, 1]), (b"PLTE", bytes(6)), (b"tRNS", bytes([0, 255])))
    ),
    "1 bit PNG": written(png(1, 0, bytes([0b10000000]), (b"tRNS", struct.pack(">H", 1)))),
    "2 bit PNG": written(png(2, 0, bytes([0b10_01_0000]), (b"tRNS", struct.pack(">H", 2)))),
    "4 bit PNG": written(png(4, 0, bytes([0x5E]), (b"tRNS", struct.pack(">H", 5)))),
    "grey PNG": written(png(8, 0, bytes([7, 200]), (b"tRNS", struct.pack(">H", 7)))),
    "RGB PNG": written(
        png(8, 2, bytes([1, 2, 3, 9, 9, 9]), (b"tRNS", struct.pack(">3H", 1, 2, 3)))
    ),
    "16 bit grey PNG": written(
        png(16, 0, struct.pack(">2H", 700, 40_000), (b"tRNS", struct.pack(">H", 700)))
    ),
    "16 bit RGB PNG": written(
        png(
            16, 2, struct.pack(">6H", 700, 800, 900, 60_000, 60_000, 60_000),
            (b"tRNS", struct.pack(">3H", 700, 800, 900)),
        )
    ),
    "16 bit RGBA PNG": written(png(16, 6, struct.pack(">8H", 9, 9, 9, 0, 9, 9, 9, 65_535))),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_clear_takes_the_colour_and_what_is_opaque_stays(kind: str, tmp_path: Path) -> None:
    KINDS[kind](tmp_path)
    (before,) = scan_subset(tmp_path)
    seen = np.asarray(open_image(before.path))
    assert before.has_alpha and seen[0, :, 3].tolist() == [0, 255]

    applied = apply_changes(tmp_path, plan_flatten([before], "red"))

    assert applied.failed == []
    (after,) = scan_subset(tmp_path)
    flat = open_image(after.path)
    assert flat.mode == "RGB" and not after.has_alpha
    assert flat.getpixel((0, 0)) == (255, 0, 0)
    assert np.array_equal(np.asarray(flat)[0, 1], seen[0, 1, :3])

"""Twelve pictures that go wrong easily, drawn from formulas, as files of the kinds they come in."""

from pathlib import Path

import numpy as np
from PIL import Image


def waves(width: int, height: int, channels: int, phase: float = 0.0) -> np.ndarray:
    """Smooth colours with an edge in them: uint8 [height, width, channels]."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    parts = []
    for channel in range(channels):
        wave = np.sin(x / (7 + 5 * channel) + phase) * np.cos(y / (11 + 3 * channel) + channel)
        parts.append(np.where(x + 2 * y > width, 127 + 120 * wave, 60 - 50 * wave))
    return np.clip(np.rint(np.stack(parts, axis=-1)), 0, 255).astype(np.uint8)


def _rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(waves(300, 200, 3)).save(path, exif=exif)


def _keyed(path: Path) -> None:
    pixels = waves(120, 90, 3)
    pixels[20:60, 30:80] = (255, 0, 255)
    Image.fromarray(pixels).save(path, transparency=(255, 0, 255))


def _palette(path: Path, clear: bool) -> None:
    image = Image.fromarray(waves(257, 131, 3) // 64 * 80)
    small = image.quantize(32, dither=Image.Dither.NONE)
    small.save(path, **({"transparency": small.getpixel((3, 3))} if clear else {}))


def _deep(path: Path) -> None:
    values = waves(210, 160, 1)[..., 0].astype(np.uint16) * 257
    Image.fromarray(values + np.arange(210, dtype=np.uint16) % 97).save(path)


PICTURES = {
    "transparent.png": lambda p: Image.fromarray(waves(320, 240, 4)).save(p),
    "transparent.webp": lambda p: Image.fromarray(waves(99, 301, 4, 2)).save(
        p, lossless=True, exact=True
    ),
    "keyed.png": _keyed,
    "palette.png": lambda p: _palette(p, False),
    "palette_clear.png": lambda p: _palette(p, True),
    "tiny.png": lambda p: Image.fromarray(waves(3, 2, 3)).save(p),
    "wide.png": lambda p: Image.fromarray(waves(1200, 37, 3)).save(p),
    "tall.bmp": lambda p: Image.fromarray(waves(45, 900, 3, 1)).save(p),
    "grey.png": lambda p: Image.fromarray(waves(500, 448, 1)[..., 0]).save(p),
    "grey_alpha.png": lambda p: Image.fromarray(waves(200, 220, 2)).save(p),
    "deep.png": _deep,
    "rotated.png": _rotated,
}


def draw(folder: Path) -> dict[str, Path]:
    """Name -> file of each of the twelve."""
    for name, save in PICTURES.items():
        save(folder / name)
    return {name: folder / name for name in PICTURES}

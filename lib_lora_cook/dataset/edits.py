"""What can be done to the pixels of a picture: small values, each called with a picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image, ImageColor

from ..errors import UserError
from .images import MAX_PIXELS
from .pixels import on_background


class Edit(Protocol):
    """Picture in, picture out, RGB or RGBA; equal edits give equal pictures."""

    def __call__(self, image: Image.Image) -> Image.Image: ...


@dataclass(frozen=True)
class Flatten:
    """Transparency onto a colour (a name or #rrggbb)."""

    background: str = "white"

    def __call__(self, image: Image.Image) -> Image.Image:
        return on_background(image, self.background)


@dataclass(frozen=True)
class Crop:
    """The box left, top, right, bottom in pixels; UserError where it leaves the picture."""

    box: tuple[int, int, int, int]

    def __call__(self, image: Image.Image) -> Image.Image:
        left, top, right, bottom = self.box
        if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
            raise UserError(f"The box {self.box} does not fit into {image.width}x{image.height}")
        return image.crop(self.box)


@dataclass(frozen=True)
class Flood:
    """The region round a point whose pixels are like it, filled with a colour.

    tolerance: 0 to 255 a channel. colour "": the one that is commonest along the picture's border.
    UserError for a point outside.
    """

    point: tuple[int, int]
    tolerance: int = 16
    colour: str = ""

    def __call__(self, image: Image.Image) -> Image.Image:
        import cv2

        x, y = self.point
        if not (0 <= x < image.width and 0 <= y < image.height):
            raise UserError(f"The point {x},{y} is not inside {image.width}x{image.height}")
        pixels = np.array(image)
        region = np.zeros((image.height + 2, image.width + 2), np.uint8)
        how = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | 255 << 8
        like = (self.tolerance,) * 3
        cv2.floodFill(pixels[..., :3].copy(), region, (x, y), 0, like, like, how)
        colour = ImageColor.getcolor(self.colour, image.mode) if self.colour else _border(pixels)
        pixels[region[1:-1, 1:-1] > 0] = colour
        return Image.fromarray(pixels)


def _border(pixels: np.ndarray) -> np.ndarray:
    """The commonest colour along the four sides of (height, width, channels)."""
    sides = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colours, counts = np.unique(sides, axis=0, return_counts=True)
    return np.asarray(colours[counts.argmax()])


@dataclass(frozen=True)
class Resize:
    """To width x height pixels by Lanczos."""

    size: tuple[int, int]

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.resize(self.size, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Upscale:
    """Enlarged by `upscale(picture, times)` until the shorter side has `least` pixels.

    times: as often as that takes, by this factor; 0: just as far. UserError where it does not work.
    """

    upscale: Callable[[Image.Image, float], Image.Image]
    least: int
    times: float = 0.0

    def __call__(self, image: Image.Image) -> Image.Image:
        while (side := min(image.size)) < self.least:
            times = self.times or self.least / side
            if image.width * image.height * times * times > MAX_PIXELS:
                raise UserError(f"Would have more than {MAX_PIXELS // 10**6} million pixels")
            larger = self.upscale(image, times)
            if min(larger.size) <= side:
                raise UserError(f"The upscaler makes {larger.size} of {image.size}")
            if not self.times and min(larger.size) != self.least:  # WebUIs round down to eights
                size = (round(image.width * times), round(image.height * times))
                larger = larger.resize(size, Image.Resampling.LANCZOS)
            if image.mode == "RGBA" and larger.mode == "RGB":  # models know no transparency
                alpha = image.getchannel("A")
                larger.putalpha(alpha.resize(larger.size, Image.Resampling.LANCZOS))
            image = larger
        return image

    def try_out(self) -> None:
        """Raise UserError if the upscaler does not work at all."""
        self.upscale(Image.new("RGB", (64, 64)), self.times or 2.0)


_RUNS = 3
"""zlib's Z_RLE: PNG's filters leave runs, and looking for more than those takes most of the time.

About four times quicker than Pillow's default and as small (benchmarks/convert.py)."""
_SAVE: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 1, "compress_type": _RUNS}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
}
_FLAT_FORMATS = frozenset({"JPEG", "BMP"})


def checked_colour(colour: str) -> str:
    """A colour's name, #rrggbb or nothing, as it was given; UserError if it is no colour."""
    try:
        ImageColor.getrgb(colour or "white")
    except ValueError as error:
        raise UserError("No such colour", colour, "Give a name or #rrggbb.") from error
    return colour


def format_of(extension: str) -> str | None:
    """Pillow's name of the format that an extension (".png") is written in; None if it is not."""
    return _SAVE.get(extension.lower(), (None,))[0]


def writable() -> str:
    """The kinds of picture that can be written, for messages."""
    return ", ".join(sorted(extension[1:] for extension in _SAVE))


def encode_picture(image: Image.Image, extension: str) -> bytes:
    """The file bytes of an RGB or RGBA picture; lossless except for JPEG.

    Raises UserError for an extension that cannot be written.
    """
    kind, options = _SAVE.get(extension.lower(), ("", {}))
    if not kind:
        raise UserError(
            "Cannot write pictures of this kind", extension, f"Choose from {writable()}."
        )
    out = io.BytesIO()
    flat = on_background(image) if kind in _FLAT_FORMATS else image
    try:
        flat.save(out, kind, **options)
    except (OSError, ValueError) as error:  # WebP ends at 16383 pixels, JPEG at 65535
        raise UserError(f"Cannot write this picture as {kind} ({error})") from error
    return out.getvalue()

"""What can be done to the pixels of a picture: small values, each called with a picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

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
            if image.mode == "RGBA" and larger.mode == "RGB":  # models know no transparency
                alpha = image.getchannel("A")
                larger.putalpha(alpha.resize(larger.size, Image.Resampling.LANCZOS))
            image = larger
        return image

    def try_out(self) -> None:
        """Raise UserError if the upscaler does not work at all."""
        self.upscale(Image.new("RGB", (64, 64)), self.times or 2.0)


# PNG at level 1 is a quarter faster than at Pillow's default of 6 and hardly larger.
_SAVE: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 1}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
}
_FLAT_FORMATS = frozenset({"JPEG", "BMP"})


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

"""What is kept of a picture to find its copies: small views to search with, one to check on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..images import content_hash, open_image, open_reduced
from ..pixels import on_background

CHECK_SIDE = 256  # of a square as large as the picture to check; an expression still shows
VIEW_SIDE = 32  # of the views that are searched with
_OF_FILE = "file "
_QUALITY = 92
_EVEN = 24  # levels of 255 that a bar's pixels may differ, after JPEG
_STRAY = 0.02  # share of a line's pixels that may differ more

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]
"""left, top, width, height as shares of the picture's sides."""


@dataclass(frozen=True)
class Print:
    """A picture's fingerprint.

    content: what equal pictures have in common, a hash of the pixels as they are seen or, where
    they were not decoded at full size, of the file.
    views: (count, 32, 32) lightness of the whole picture and of what is inside its bars, each
    squeezed to a square. boxes: where those lie. checks: the picture, of as many pixels as
    256 x 256, as JPEG; if it has transparency, on white and on black.
    """

    width: int
    height: int
    content: str
    views: Bytes
    boxes: tuple[Box, ...]
    checks: tuple[bytes, ...]

    @property
    def is_reduced(self) -> bool:
        """Whether the pixels were not decoded at full size, so that `content` is of the file."""
        return self.content.startswith(_OF_FILE)


def read_print(path: Path) -> Print:
    """The fingerprint of a file; UserError for anything that is no whole picture."""
    image, size = open_reduced(path, CHECK_SIDE)
    reduced = image.size != size
    return make_print(image, size, _OF_FILE + content_hash(path) if reduced else _digest(image))


def pixel_hash(path: Path, made: Print) -> str:
    """The hash of the pixels at full size; UserError as above."""
    return _digest(open_image(path)) if made.is_reduced else made.content


def _digest(image: Image.Image) -> str:
    rgba = image.convert("RGBA")
    return hashlib.sha256(str(image.size).encode() + rgba.tobytes()).hexdigest()


def make_print(image: Image.Image, size: tuple[int, int], content: str) -> Print:
    """The fingerprint of an RGB or RGBA picture that is `size` large in its file."""
    clear = image.mode == "RGBA" and any(image.getchannel("A").histogram()[:255])
    small = image.convert("RGBA" if clear else "RGB")
    small.thumbnail(check_size(small.size), Image.Resampling.BOX)
    grounds = ("white", "black") if clear else ("white",)
    seen = [np.asarray(on_background(small, ground)) for ground in grounds]
    views, boxes = [], []
    for pixels in seen:
        for box in _inner_boxes(pixels):
            views.append(_view(pixels, box))
            boxes.append(_share(box, pixels.shape))
    checks = tuple(cv2.imencode(".jpg", _bgr(pixels), _JPEG)[1].tobytes() for pixels in seen)
    return Print(*size, content, np.stack(views), tuple(boxes), checks)


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Of the picture to check, with as many pixels as a square: a face in a tall one stays one."""
    width, height = size
    factor = CHECK_SIDE / (width * height) ** 0.5
    return max(1, round(width * factor)), max(1, round(height * factor))


_JPEG = (
    cv2.IMWRITE_JPEG_QUALITY, _QUALITY,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)  # fmt: skip


def _bgr(pixels: Bytes) -> Bytes:
    return np.ascontiguousarray(pixels[..., ::-1])


def check_pixels(data: bytes) -> Bytes:
    """(height, width, 3) RGB of one of `Print.checks`."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def light_and_colour(pixels: Bytes) -> tuple[Floats, Bytes]:
    """(height, width) lightness, half luma, which greying keeps, half HSL's, which turning the hue
    keeps; and how far the channels lie apart."""
    red, green, blue = cv2.split(pixels)
    low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    both = cv2.addWeighted(low, 0.25, high, 0.25, 0, dtype=cv2.CV_32F)
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.scaleAdd(luma.astype(np.float32), 0.5, both), cv2.subtract(high, low)


def _view(pixels: Bytes, box: Sequence[int]) -> Bytes:
    left, top, right, bottom = box
    part, _ = light_and_colour(np.ascontiguousarray(pixels[top:bottom, left:right]))
    way = cv2.INTER_AREA if min(part.shape) >= VIEW_SIDE else cv2.INTER_LINEAR
    return cv2.resize(part, (VIEW_SIDE, VIEW_SIDE), interpolation=way).round().astype(np.uint8)


def _share(box: Sequence[int], shape: Sequence[int]) -> Box:
    left, top, right, bottom = box
    height, width = shape[:2]
    return left / width, top / height, (right - left) / width, (bottom - top) / height


def _inner_boxes(pixels: Bytes) -> list[tuple[int, int, int, int]]:
    """The whole picture, what is inside its bars, and what is inside the bars of that."""
    height, width = pixels.shape[:2]
    boxes = [(0, 0, width, height)]
    for _ in range(2):
        left, top, right, bottom = boxes[-1]
        part = pixels[top:bottom, left:right].astype(np.int16)
        rows, columns = part, part.transpose(1, 0, 2)
        bars = [_bar(columns), _bar(rows), _bar(columns[::-1]), _bar(rows[::-1])]
        inner = (left + bars[0], top + bars[1], right - bars[2], bottom - bars[3])
        if not any(bars) or inner[2] - inner[0] < 8 or inner[3] - inner[1] < 8:
            break
        boxes.append(inner)
    return boxes


def _bar(lines: NDArray[np.int16]) -> int:
    """How many lines from the first on are of one colour."""
    colour = np.median(lines[0], axis=0)
    for count in range(0, len(lines), 8):
        far = np.abs(lines[count : count + 8] - colour) > _EVEN
        uneven = (far[..., 0] | far[..., 1] | far[..., 2]).mean(axis=1) > _STRAY
        if uneven.any():
            return count + int(uneven.argmax())
    return len(lines)

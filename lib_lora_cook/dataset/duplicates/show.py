"""The difference of two pictures, lit up for a person."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..images import open_reduced
from ..pixels import on_background
from .align import Bytes, Seen
from .check import laid_over, residue
from .colours import recoloured
from .prints import Box, read_print
from .search import candidates

_SIDE = 512
_DARK = 0.35  # what is the same is shown this bright
_FULL = 60.0  # levels of difference that are lit up fully
_LIGHT = np.array([255, 64, 32], np.float32)
_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def difference_picture(one: Path, other: Path) -> Image.Image:
    """`one` in grey, at most 512 pixels on a side, with what is different in `other` glowing.

    Moved, rescaled, mirrored and recoloured first, where that makes them alike. UserError for what
    is no whole picture.
    """
    hits = [
        (False, hit.box, hit.other_box, hit.mirrored) if hit.one == 0 else
        (True, hit.other_box, hit.box, hit.mirrored)
        for hit in candidates([read_print(one), read_print(other)])
    ]  # fmt: skip
    pictures = Seen(_pixels(one)), Seen(_pixels(other))
    for turned, box, other_box, mirrored in hits:
        if mirrored and turned:  # the boxes are those of the pictures as they are
            other_box = (1 - other_box[0] - other_box[2], *other_box[1:])
            box = (1 - box[0] - box[2], *box[1:])
        lying = laid_over(*pictures, mirrored, box, other_box)
        if lying is not None:
            return _lit(lying.one, recoloured(lying.other, lying.one))
    height, width = pictures[0].pixels.shape[:2]
    return _lit(pictures[0].pixels, cv2.resize(pictures[1].pixels, (width, height)))


def _pixels(path: Path) -> Bytes:
    image, _ = open_reduced(path, _SIDE)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(on_background(image))


def _lit(one: Bytes, other: Bytes) -> Image.Image:
    glow = np.clip(residue(one, other)[..., None] / _FULL, 0, 1)
    grey = cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[..., None] * _DARK
    return Image.fromarray(np.rint(grey * (1 - glow) + glow * _LIGHT).astype(np.uint8))

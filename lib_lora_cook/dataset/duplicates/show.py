"""The difference of two pictures, lit up for a person."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..images import open_reduced
from ..pixels import on_background
from .check import residue
from .glance import glanced
from .overlay import Claim, Overlays, Seen
from .prints import Bytes, read_print
from .search import candidates

_SIDE = 512
_DARK = 0.35  # what is the same is shown this bright
_FULL = 60.0  # levels of difference that are lit up fully
_LIGHT = np.array([255, 64, 32], np.float32)


def difference_picture(one: Path, other: Path) -> Image.Image:
    """`one` in grey, at most 512 pixels on a side, with what is different in `other` glowing.

    Moved, rescaled, mirrored and recoloured first, where that makes them alike. UserError for what
    is no whole picture.
    """
    seen = Seen(_pixels(one)), Seen(_pixels(other))
    first = np.array([0])
    for hit in candidates([read_print(one), read_print(other)]):
        lying = Overlays([Claim(*seen, hit.mirrored, hit.box, hit.other_box)])
        lying.refine(first)
        if lying.is_laid(first)[0]:
            under, over = lying.cut(0)
            ones, others = lying.colours(first)
            there, back = glanced(ones, others), glanced(others, ones)
            if there.levels[0] < back.levels[0]:
                return _lit(under, residue(there.recolouring.applied(0, under), over))
            return _lit(under, residue(under, back.recolouring.applied(0, over)))
    pixels = seen[0].pixels
    return _lit(pixels, residue(pixels, cv2.resize(seen[1].pixels, pixels.shape[1::-1])))


def _pixels(path: Path) -> Bytes:
    image, _ = open_reduced(path, _SIDE)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(on_background(image))


def _lit(one: Bytes, left: Bytes) -> Image.Image:
    glow = np.clip(left[..., None] / _FULL, 0, 1)
    grey = cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[..., None] * _DARK
    return Image.fromarray(np.rint(grey * (1 - glow) + glow * _LIGHT).astype(np.uint8))

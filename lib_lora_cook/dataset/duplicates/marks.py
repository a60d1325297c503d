"""Watermarks: writing that lies over one of two pictures, which are otherwise the same.

Writing is told from a changed face or dress by its shape, a line of many thin strokes, and by its
colour: all of it is lighter than the picture, or all of it darker.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SEEN = 14.0  # levels
_OF_BEST = 0.35
_ONE_SIDED = 0.85  # share of the change that goes one way
_LONG = 2.0  # width by height of a line of writing
_STROKES, _AT_EDGE, _TWO_SIDED = 6.0, 4.0, 8.0  # that a row of pixels meets
_EDGE = 0.16  # share of the height where watermarks are written
_HIGH = 0.2  # share of the picture's height
_FULL = 0.75  # share of its box that writing covers at most

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def marks(one: Bytes, other: Bytes) -> Mask:
    """(height, width): where writing lies over one of two pictures (height, width, 3)."""
    change = _luma(other) - _luma(one)
    height, width = change.shape
    found = np.zeros(change.shape, bool)
    strength = np.abs(change)
    strong = (strength > _SEEN).astype(np.uint8)
    reach = max(3, round(width * 0.05)) | 1, max(1, round(height * 0.012)) | 1
    joined = cv2.morphologyEx(strong, cv2.MORPH_CLOSE, np.ones(reach[::-1], np.uint8))
    count, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    for left, top, wide, high, _ in boxes[1:count]:
        box = np.s_[top : top + high, left : left + wide]
        middle = (top + high / 2) / height
        if high <= _HIGH * height and _is_writing(change[box], min(middle, 1 - middle) < _EDGE):
            edge = np.s_[max(0, top - 4) : top + high + 4, max(0, left - 4) : left + wide + 4]
            found[edge] = True
    return found


def _luma(image: Bytes) -> NDArray[np.float32]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _is_writing(change: NDArray[np.float32], at_edge: bool) -> bool:
    high, wide = change.shape
    if high < 3 or wide < _LONG * high:
        return False
    strength = np.abs(change)
    inked = strength > max(_SEEN, _OF_BEST * float(np.quantile(strength, 0.98)))
    if inked.mean() > _FULL:
        return False
    starts = (inked[:, 1:] & ~inked[:, :-1]).sum(axis=1)
    strokes = float(np.quantile(starts, 0.75))
    sums = change.clip(0).sum(), -change.clip(max=0).sum()
    if max(sums) < _ONE_SIDED * sum(sums):  # it lies over both light and dark
        return strokes >= _TWO_SIDED
    return strokes >= (_AT_EDGE if at_edge else _STROKES)

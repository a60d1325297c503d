"""Watermarks: writing that lies over one of two pictures, which are otherwise the same.

Writing is told from a changed face or dress by its shape, a line of many thin strokes, and by its
colour: all of it is lighter than the picture, or all of it darker.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .colours import level, level_of
from .prints import Bytes, Floats

_LEAST_SEEN, _SEEN, _PER_NOISE = 4.0, 14.0, 3.0  # levels; times what most of the picture changes
_MOST = 0.9
_OF_BEST = 0.35
_ONE_SIDED = 0.85  # share of the change that goes one way
_LONG, _LONG_AT_EDGE = 2.0, 1.4  # width by height of a line of writing
_STROKES, _AT_EDGE, _TWO_SIDED = 6.0, 3.0, 8.0  # that a row of pixels meets
_LETTER = 0.1  # share of the picture's height, where a line is in pieces
_LEVEL = 0.5  # share of its height that a letter shares with the line
_LEAST_HIGH = 3
_EDGE = 0.12  # share of the height where watermarks are written
_HIGH = 0.2  # share of the picture's height
_FULL = 0.75  # share of its box that writing covers at most
_PEN, _SOLID = 0.2, 0.2  # of the height of a line; share of the ink that may be thicker
_MUCH, _MOST_PARTS = 0.4, 60  # share of a picture that writing is no longer; boxes looked at
_ROOM = 24  # levels to white or black below which writing does not show

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""left, top, width, height in pixels."""


def covered(shape: tuple[int, ...], lines: list[Box]) -> Mask:
    """(height, width): where those lines are, and a little round them."""
    found = np.zeros(shape[:2], bool)
    for left, top, wide, high in lines:
        found[max(0, top - 4) : top + high + 4, max(0, left - 4) : left + wide + 4] = True
    return found


def writing(one: Bytes, other: Bytes) -> list[Box]:
    """The lines of writing that lie over one of two pictures (height, width, 3)."""
    luma, other_luma = (cv2.cvtColor(it, cv2.COLOR_RGB2GRAY) for it in (one, other))
    lighter, darker = _changes(luma, other_luma)
    strength, change = cv2.max(lighter, darker), cv2.subtract(lighter, darker, dtype=cv2.CV_32F)
    room = 255 - cv2.min(luma, other_luma), cv2.max(luma, other_luma)  # of white, of black
    usual = level_of(strength, _MOST) * _PER_NOISE
    boxes: list[Box] = []
    for seen in sorted({float(np.clip(usual, low, _SEEN)) for low in (_LEAST_SEEN, _SEEN)}):
        strong = strength > seen
        if strong.mean() > _MUCH:
            continue
        parts = _boxes(strong)
        whole = [part for part in parts if _may_be_letter(change, part)]
        for box in {*parts, *_lines(whole)}:
            if _may_be_line(box, len(change)) and any(
                _is_writing(change, it, box, seen) for it in room
            ):
                boxes.append(box)
    return boxes


def _changes(one: Bytes, other: Bytes) -> tuple[Bytes, Bytes]:
    """What is lighter in `other`, and what darker, by more than a shift of a pixel explains."""
    near = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(one, near), cv2.dilate(one, near)
    other_low, other_high = cv2.erode(other, near), cv2.dilate(other, near)
    lighter = cv2.max(cv2.subtract(other, high), cv2.subtract(other_low, one))
    darker = cv2.max(cv2.subtract(low, other), cv2.subtract(one, other_high))
    return lighter, darker


def _boxes(strong: Mask) -> list[Box]:
    """Round what lies close together in a line."""
    height, width = strong.shape
    reach = max(5, round(width * 0.05)) | 1, max(1, round(height * 0.012)) | 1
    joined = cv2.morphologyEx(
        strong.astype(np.uint8), cv2.MORPH_CLOSE, np.ones(reach[::-1], np.uint8)
    )
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    seen = boxes[1:][boxes[1:, cv2.CC_STAT_HEIGHT] > 1]
    most = seen[np.argsort(-seen[:, cv2.CC_STAT_AREA], kind="stable")[:_MOST_PARTS]]
    return [(x, y, wide, high) for x, y, wide, high, _ in most.tolist()]


def _lines(boxes: list[Box]) -> list[Box]:
    """Boxes of about the same place from top to bottom joined: letters show only here and there."""
    lines: list[Box] = []
    for left, top, wide, high in sorted(boxes, key=lambda box: -box[3]):
        for at, (x, y, across, down) in enumerate(lines):
            if min(y + down, top + high) - max(y, top) >= _LEVEL * high:
                edge = min(x, left)
                bottom = max(y + down, top + high)
                right, upper = max(x + across, left + wide), min(y, top)
                lines[at] = edge, upper, right - edge, bottom - upper
                break
        else:
            if high >= _LEAST_HIGH:
                lines.append((left, top, wide, high))
    return lines


def _may_be_letter(change: Floats, box: Box) -> bool:
    return box[3] <= _LETTER * len(change) and _one_sided(change, box) >= _ONE_SIDED


def _one_sided(change: Floats, box: Box) -> float:
    """The share of the change in a box that goes one way."""
    part = change[_inside(box)]
    return float(max(part.clip(0).sum(), -part.clip(max=0).sum()) / (np.abs(part).sum() + 1e-6))


def _inside(box: Box) -> tuple[slice, slice]:
    left, top, wide, high = box
    return np.s_[top : top + high, left : left + wide]


def _is_thin(inked: Mask) -> bool:
    """Whether little of it is thicker than a pen stroke of that height: an eye is."""
    wide = max(3, round(_PEN * len(inked)) | 1)
    solid = cv2.morphologyEx(
        inked.astype(np.uint8), cv2.MORPH_OPEN, np.ones((wide, wide), np.uint8)
    )
    return bool(solid.sum() <= _SOLID * inked.sum())


def _may_be_line(box: Box, height: int) -> bool:
    _, _, wide, high = box
    long = _LONG_AT_EDGE if _at_edge(box, height) else _LONG
    return _LEAST_HIGH <= high <= _HIGH * height and wide >= long * high


def _at_edge(box: Box, height: int) -> bool:
    middle = (box[1] + box[3] / 2) / height
    return min(middle, 1 - middle) < _EDGE


def _is_writing(change: Floats, room: Bytes, box: Box, seen: float) -> bool:
    """Whether a box holds a line of strokes; `room` is how much the colour could change there."""
    part = np.abs(change[_inside(box)])
    covering = part / np.maximum(room[_inside(box)], _ROOM)
    inked = (covering > _OF_BEST * level(covering.ravel(), 0.98)) & (part > seen)
    if inked.mean() > _FULL or not (_at_edge(box, len(change)) or _is_thin(inked)):
        return False
    starts = (inked[:, 1:] & ~inked[:, :-1]).sum(axis=1)
    strokes = level(starts, 0.75)
    if _one_sided(change, box) < _ONE_SIDED:  # it lies over both light and dark
        return strokes >= _TWO_SIDED
    return strokes >= (_AT_EDGE if _at_edge(box, len(change)) else _STROKES)

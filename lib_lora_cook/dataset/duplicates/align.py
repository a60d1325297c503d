"""Two pictures of the same thing laid over one another, to a fraction of a pixel.

What copying does to the place of things is a shift and a change of size; the Gauss-Newton steps
here find both, with the change of brightness and contrast (as in Lucas and Kanade, 1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .prints import Box, lightness

_LEVELS = ((40, 6, 0.35), (80, 4, 0.5), (160, 3, 0.0))
"""Pixels on the longer side at most, steps, and the correlation below which it is given up.

The search gives places that are mostly good to a pixel of the second level."""
_LEAST_SIDE = 12
_SHOWS = 0.4  # share of the contrast
_STILL = 0.04  # of a pixel
_FLAT = 0.5  # levels
_RIM, _SAME_EDGE = 2, 0.005  # pixels into which a frame's colour runs; share of a side

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """x * width + left, y * height + top: from shares of one picture's frame to another's."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Overlay:
    """The part that two pictures share, (height, width, 3) each, and how they lie."""

    one: Bytes
    other: Bytes
    place: Place  # of other's frame in one's
    likeness: float  # correlation of the lightness, -1 to 1


class Seen:
    """A picture, and its lightness at full size, at half of it, a quarter, and so on."""

    def __init__(self, pixels: Bytes) -> None:
        self.pixels = pixels
        self.levels = [lightness(pixels)]
        while min(self.levels[-1].shape) >= 2 * _LEAST_SIDE:
            self.levels.append(_half(self.levels[-1]))

    def at_most(self, side: float) -> Floats:
        """The finest lightness of which no side is longer, or the coarsest there is."""
        good = [level for level in self.levels if max(level.shape) <= side]
        return good[0] if good else self.levels[-1]

    def shows_at(self, side: float) -> bool:
        """Whether that is not a mere grey, as a texture is from afar."""
        return bool(self.at_most(side).std() > _SHOWS * self.levels[0].std())

    def mirrored(self) -> Seen:
        """The same, left for right."""
        turned = Seen.__new__(Seen)
        turned.pixels = np.ascontiguousarray(self.pixels[:, ::-1])
        turned.levels = [np.ascontiguousarray(level[:, ::-1]) for level in self.levels]
        return turned


def _half(image: Floats) -> Floats:
    height, width = image.shape
    return _resized(image, (max(1, round(width / 2)), max(1, round(height / 2))))


def overlaid(one: Seen, other: Seen, box: Box, other_box: Box) -> Overlay | None:
    """Lay `other` over `one`, first with box on box; None where they do not come to fit."""
    place = _place(box, other_box)
    found = _fitted(one, other, place, _LEVELS[1:]) or _fitted(one, other, place, _LEVELS)
    return _shared(one.pixels, other.pixels, *found) if found else None


def _fitted(
    one: Seen, other: Seen, place: Place, levels: Sequence[tuple[int, int, float]]
) -> tuple[Place, float] | None:
    """A better place and how alike they are there; None where they do not come to fit."""
    likeness, before = 0.0, None
    for side, steps, enough in levels:
        target = other.at_most(side)
        if target is before or not other.shows_at(side):
            continue
        before = target
        found = _climbed(one, target, place, steps)
        if found is None or found[1] < enough:
            return None
        place, likeness = found
    return place, likeness


def _climbed(one: Seen, target: Floats, place: Place, steps: int) -> tuple[Place, float] | None:
    """A better place for `target` and how alike they are there; None where it runs away."""
    best, most, at = place, -1.0, place
    for _ in range(steps):
        source = one.at_most(max(target.shape) / max(at.width, at.height) * 1.5)
        moved, likeness = _step(source, target, at)
        if likeness < most:  # too far: half of it
            at = _between(best, at)
            continue
        best, most = at, likeness
        if not _sane(moved):
            return None
        if _moved(at, moved) * max(target.shape) < _STILL:
            break
        at = moved
    return best, most


def _place(box: Box, other_box: Box) -> Place:
    width, height = box[2] / other_box[2], box[3] / other_box[3]
    return Place(box[0] - other_box[0] * width, box[1] - other_box[1] * height, width, height)


def _between(one: Place, other: Place) -> Place:
    ends = zip(astuple(one), astuple(other), strict=True)
    return Place(*((start + end) / 2 for start, end in ends))


def _moved(before: Place, after: Place) -> float:
    """How far a corner went at most, as a share of the frame."""
    left, top = after.left - before.left, after.top - before.top
    right, bottom = left + after.width - before.width, top + after.height - before.height
    return max(abs(left), abs(top), abs(right), abs(bottom))


def _sane(place: Place) -> bool:
    return 0.2 < place.width < 5 and 0.2 < place.height < 5 and _span(place) is not None


def _span(place: Place) -> tuple[float, float, float, float] | None:
    """left, top, right, bottom of the shared part in other's frame; None if there is little."""
    left, right = max(0.0, -place.left / place.width), min(1.0, (1 - place.left) / place.width)
    top, bottom = max(0.0, -place.top / place.height), min(1.0, (1 - place.top) / place.height)
    return (left, top, right, bottom) if right - left > 0.3 and bottom - top > 0.3 else None


def _resized(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    shrinks = size[0] < image.shape[1] or size[1] < image.shape[0]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _shrunk(image: NDArray[Any], scale: tuple[float, float]) -> NDArray[Any]:
    """The image about as fine as a grid that steps over `scale` of its pixels."""
    height, width = image.shape[:2]
    size = max(8, round(width / max(1.0, scale[0]))), max(8, round(height / max(1.0, scale[1])))
    return image if size == (width, height) else _resized(image, size)


def _warped(source: NDArray[Any], place: Place, size: tuple[int, int]) -> NDArray[Any]:
    """What of `source` lies under other's frame, sampled on a grid of that size."""
    height, width = source.shape[:2]
    across, down = place.width * width / size[0], place.height * height / size[1]
    matrix = np.array([
        [across, 0, place.left * width + across / 2 - 0.5],
        [0, down, place.top * height + down / 2 - 0.5],
    ])  # fmt: skip
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(source, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _step(source: Floats, target: Floats, place: Place) -> tuple[Place, float]:
    """One Gauss-Newton step, and the correlation before it."""
    height, width = target.shape
    span = _span(place)
    if span is None:
        return place, 0.0
    left, top, right, bottom = (
        round(edge * side) for edge, side in zip(span, (width, height) * 2, strict=True)
    )
    seen = _warped(source, place, (width, height))
    along = cv2.Sobel(seen, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(seen, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    part = np.s_[top:bottom, left:right]
    seen, along, down, wanted = seen[part], along[part], down[part], target[part]
    x = np.arange(left, right, dtype=np.float32) + 0.5
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
    rows = np.stack([
        (along * x).ravel(), along.ravel(), (down * y).ravel(), down.ravel(),
        seen.ravel(), np.ones(seen.size, np.float32),
    ])  # fmt: skip
    goal = wanted.ravel()
    normal, asked = (rows @ rows.T).astype(np.float64), (rows @ goal).astype(np.float64)
    likeness = _correlation(normal, asked, float(goal @ goal), goal.size)
    normal[np.diag_indices(6)] *= 1 + 1e-4
    normal[np.diag_indices(6)] += 1e-3
    a, b, c, d, gain, _ = np.linalg.solve(normal, asked)
    gain = gain if abs(gain) > 0.1 else 0.1
    a, b, c, d = np.clip(np.array([a, b / width, c, d / height]) / gain, -0.1, 0.1)
    return (
        Place(
            place.left + b * place.width, place.top + d * place.height,
            place.width * (1 + a), place.height * (1 + c),
        ),
        likeness,
    )  # fmt: skip


def _correlation(
    normal: NDArray[np.float64], asked: NDArray[np.float64], square: float, count: int
) -> float:
    """Of source and target, from the sums of their products; 0 where one of them is plain."""
    means = normal[4, 5] / count, asked[5] / count
    spread = normal[4, 4] / count - means[0] ** 2, square / count - means[1] ** 2
    if min(spread) < _FLAT**2:
        return 0.0
    return float((asked[4] / count - means[0] * means[1]) / np.sqrt(spread[0] * spread[1]))


def _shared(one: Bytes, other: Bytes, place: Place, likeness: float) -> Overlay | None:
    """The shared part of both on one grid, no finer than the coarser of the two."""
    span = _span(place)
    if span is None:
        return None
    scale = (
        place.width * one.shape[1] / other.shape[1],
        place.height * one.shape[0] / other.shape[0],
    )
    fine = min(1.0, *scale)  # below 1: other is the finer one
    size = max(8, round(other.shape[1] * fine)), max(8, round(other.shape[0] * fine))
    under = _warped(_shrunk(one, (scale[0] / fine, scale[1] / fine)), place, size)
    over = other if fine == 1 else _resized(other, size)
    left, top, right, bottom = span
    starts, ends = (place.left, place.top), (place.left + place.width, place.top + place.height)
    x, y = (_RIM * (abs(start) > _SAME_EDGE) for start in starts)
    end, foot = (_RIM * (abs(stop - 1) > _SAME_EDGE) for stop in ends)
    part = np.s_[
        int(np.ceil(top * size[1])) + y : int(bottom * size[1]) - foot,
        int(np.ceil(left * size[0])) + x : int(right * size[0]) - end,
    ]
    return Overlay(under[part], over[part], place, likeness)

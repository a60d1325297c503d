"""Two pictures of which one may show what the other shows, laid over one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .align import Places, around, fitted, is_sane, places_of, sampled, shared, within
from .colours import LUMA
from .prints import Box, Bytes, Floats, light_and_colour

_SIDE, _TWICE = 80, 160  # pixels of the squares
_ROUGH, _ROUGHEST = 40, 20  # of what is laid on one another first, and where that does not do
_STEPS = {_ROUGHEST: 6, _ROUGH: 3, _SIDE: 3}
_GREY = 3.0  # levels between the channels
_LARGE = 128 * 128  # pixels
_NO_MOVE = 0.3  # of a pixel
_COARSE = 0.5  # a correlation below which a pair is looked at from further off
_ALIKE, _STRETCH = 0.6, 1.06  # least correlation; by which sides may differ
_LEAST_SIDE = 12  # pixels
_SHOWS = 0.4  # share of the contrast
_RIM, _SAME_EDGE = 2, 0.005  # pixels into which a frame's colour runs; share of a side
_WHOLE = (0.0, 0.0, 1.0, 1.0)


class Seen:
    """A picture (height, width, 3), and what is left of it on squares."""

    def __init__(self, pixels: Bytes) -> None:
        self.pixels = pixels
        square = _squeezed(pixels)
        self.colours = np.stack(cv2.split(square))  # (3, 80, 80)
        self.light, saturation = light_and_colour(square)  # (80, 80)
        self.is_grey = cv2.mean(saturation)[0] < _GREY
        rough = _resized(self.light, (_ROUGH, _ROUGH))
        # A texture is grey from afar.
        self.shows = _contrast(rough) > _SHOWS * _contrast(self.light)

    @property
    def luma(self) -> Floats:
        """(80, 80) what greying keeps."""
        return (LUMA @ self.colours.reshape(3, -1)).reshape(_SIDE, _SIDE)

    @property
    def size(self) -> int:
        """How many pixels there are."""
        return self.pixels.shape[0] * self.pixels.shape[1]


@dataclass(frozen=True)
class Claim:
    """That the box of `one` shows what the box of `other` (mirrored, if so) does."""

    one: Seen
    other: Seen
    mirrored: bool
    box: Box
    other_box: Box  # as it is before it is mirrored


class Overlays:
    """Pairs of pictures laid over one another."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = claims
        boxes, others = (np.array(it) for it in zip(*map(_boxes, claims), strict=True))
        self.places = places_of(boxes, others)
        self.likeness = np.zeros(len(claims), np.float32)  # correlation, -1 to 1
        shown = is_sane(self.places)
        told = np.array([it.one.shows and it.other.shows for it in claims])
        self.likeness[shown & ~told] = 1  # as far as is known
        self._lay(np.flatnonzero(shown & told), _ROUGH)

    def refine(self, which: NDArray[np.int64]) -> None:
        """Lay those over one another more finely that are large enough for it to matter."""
        large = [
            min(it.one.size, it.other.size) > _LARGE for it in (self.claims[at] for at in which)
        ]
        self._lay(which[np.array(large, bool)], _SIDE)

    def _lay(self, which: NDArray[np.int64], side: int) -> None:
        if not len(which):
            return
        claims = [self.claims[at] for at in which]
        greyed = [it.one.is_grey != it.other.is_grey for it in claims]
        ones, others = _squares(claims, ["luma" if it else "light" for it in greyed])
        parts = shared(self.places[which])
        places = within(self.places[which], parts)
        found, likeness = fitted(ones, sampled(others, parts, side), places, _STEPS[side])
        far = np.flatnonzero(likeness < _COARSE)
        if len(far) and side == _ROUGH:
            ones, others, parts_far = ones[far], others[far], parts[far]
            rough = sampled(others, parts_far, _ROUGHEST)
            first, _ = fitted(ones, rough, places[far], _STEPS[_ROUGHEST])
            again = fitted(ones, sampled(others, parts_far, side), first, _STEPS[side])
            found[far], likeness[far] = again
        self.places[which] = around(found, parts)
        self.likeness[which] = np.where(is_sane(self.places[which]), likeness, 0)

    def colours(self, which: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """(n, 3, 40, 40) each: what both pictures show."""
        claims = [self.claims[at] for at in which]
        ones, others = _squares(claims, ["colours"] * len(claims))
        parts = shared(self.places[which])
        return (
            sampled(ones, within(self.places[which], parts), _ROUGH),
            sampled(others, parts, _ROUGH),
        )

    def is_laid(self, which: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether these are alike, show enough of one another and none of them is squeezed."""
        claims, places = [self.claims[at] for at in which], self.places[which]
        ones = np.array([it.one.pixels.shape[1::-1] for it in claims]).reshape(-1, 2)
        others = np.array([it.other.pixels.shape[1::-1] for it in claims]).reshape(-1, 2)
        seen = places[:, 2:] * ones
        fewest = (shared(places)[:, 2:] * np.minimum(seen, others)).min(axis=1)
        stretch = seen[:, 0] * others[:, 1] / (seen[:, 1] * others[:, 0])
        alike = (self.likeness[which] >= _ALIKE) & is_sane(places) & (fewest >= _LEAST_SIDE)
        return alike & (stretch > 1 / _STRETCH) & (stretch < _STRETCH)

    def cut(self, at: int) -> tuple[Bytes, Bytes]:
        """What both pictures of a pair show, (height, width, 3) each, as fine as the coarser."""
        claim, place = self.claims[at], self.places[at]
        one, other = claim.one.pixels, claim.other.pixels
        if claim.mirrored:
            other = np.ascontiguousarray(other[:, ::-1])
        scale = place[2:] * one.shape[1::-1] / other.shape[1::-1]
        fine = min(1.0, *scale)  # below 1: other is the finer one
        width, height = (max(8, round(side * fine)) for side in other.shape[1::-1])
        under = _warped(_shrunk(one, scale / fine), place, (width, height))
        over = other if fine == 1 else _resized(other, (width, height))
        rows = _inside(place[1], place[3], height)
        columns = _inside(place[0], place[2], width)
        return under[rows, columns], over[rows, columns]


def _squares(claims: Sequence[Claim], names: Sequence[str]) -> tuple[Floats, Floats]:
    """The square of that name of both pictures of each pair, the others mirrored if so."""
    pairs = list(zip(claims, names, strict=True))
    ones = np.stack([getattr(it.one, name) for it, name in pairs])
    others = np.stack([getattr(it.other, name)[..., :: 1 - 2 * it.mirrored] for it, name in pairs])
    return ones.astype(np.float32, copy=False), others.astype(np.float32, copy=False)


def _boxes(claim: Claim) -> tuple[Box, Box]:
    left, top, width, height = claim.other_box
    return claim.box, (1 - left - width if claim.mirrored else left, top, width, height)


def _squeezed(pixels: Bytes) -> Bytes:
    """(80, 80, 3) of a picture, by way of twice the size: as good as the mean of what lies under
    each pixel there, where pictures are not much larger, and several times as quick."""
    if max(pixels.shape) <= 2 * _TWICE:
        pixels = cv2.resize(pixels, (_TWICE, _TWICE), interpolation=cv2.INTER_LINEAR)
    return _resized(pixels, (_SIDE, _SIDE))


def _contrast(light: Floats) -> float:
    return float(cv2.meanStdDev(light)[1][0, 0])


def _inside(start: float, size: float, side: int) -> slice:
    """What is shared of a line so many pixels long, if it lies there in another one's frame."""
    low, high = max(0.0, -start / size), min(1.0, (1 - start) / size)
    rims = (_RIM * (abs(edge) > _SAME_EDGE) for edge in (start, start + size - 1))
    return slice(math.ceil(low * side) + next(rims), int(high * side) - next(rims))


def _resized(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if size == image.shape[1::-1]:
        return image
    shrinks = size[0] < image.shape[1] or size[1] < image.shape[0]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _shrunk(image: Bytes, scale: Places) -> Bytes:
    """The image about as fine as a grid that steps over `scale` of its pixels."""
    height, width = image.shape[:2]
    return _resized(
        image,
        (max(8, round(width / max(1.0, scale[0]))), max(8, round(height / max(1.0, scale[1])))),
    )


def _warped(source: Bytes, place: Places, size: tuple[int, int]) -> Bytes:
    """What of `source` lies under other's frame, sampled on a grid of that size."""
    height, width = source.shape[:2]
    left, top, wide, high = place.tolist()
    edges = left * width, top * height, (left + wide - 1) * width, (top + high - 1) * height
    if size == (width, height) and max(map(abs, edges)) < _NO_MOVE:
        return source
    across, down = wide * width / size[0], high * height / size[1]
    matrix = np.array([
        [across, 0, left * width + across / 2 - 0.5], [0, down, top * height + down / 2 - 0.5],
    ])  # fmt: skip
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(source, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)

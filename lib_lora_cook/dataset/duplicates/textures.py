"""Copies among textures: brick, grass, gravel, stars and the like, which small views do not tell.

Where the low frequencies hold next to nothing, local features say how two pictures lie (SIFT, Lowe
2004, compared as in RootSIFT, Arandjelovic and Zisserman 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .prints import Box, Bytes, Floats, check_pixels
from .views import Whole

_TEXTURE, _LEAST = 0.4, 4.0  # share of a view's contrast in its low frequencies; levels of contrast
_MOST_FEATURES, _BUDGET = 300, 16_000  # of a picture; of all of them
_ALIKE = 0.88  # least cosine of two features
_VOTES, _INLIERS, _OF_MATCHES = 8, 8, 0.25
_CHUNK = 1024  # views at a time
_NEAR = 3.0  # pixels that a match may be off
_STRAIGHT = 0.05  # radians


@dataclass(frozen=True)
class Lying:
    """Picture `other` (mirrored, if so) lies with its whole frame on `box` of picture `one`."""

    one: int
    other: int
    mirrored: bool
    box: Box
    likeness: float


@dataclass(frozen=True)
class _Features:
    """Where a picture's features lie, in shares of its sides, and what they look like."""

    places: Floats  # (n, 2)
    looks: Floats  # (n, 128), each of length 1
    size: tuple[int, int]


def textures(owner: Whole, pixels: Bytes, low: Floats) -> list[int]:
    """Pictures of which a view has contrast and, by `low` of all views, little in large shapes."""
    parts = (pixels[start : start + _CHUNK] for start in range(0, len(pixels), _CHUNK))
    flat = (part.reshape(len(part), -1).astype(np.float32) for part in parts)
    contrast = np.concatenate([np.empty(0), *(it.std(axis=1) for it in flat)])
    told = (contrast >= _LEAST) & (low < _TEXTURE * contrast)
    return [int(at) for at in np.unique(owner[told])]


def texture_pairs(pictures: Sequence[tuple[int, bytes]]) -> list[Lying]:
    """The pairs of some pictures that lie on one another: the number and one of `Print.checks`."""
    if len(pictures) < 2:
        return []
    most = max(_VOTES, min(_MOST_FEATURES, _BUDGET // len(pictures)))
    numbers = [number for number, _ in pictures]
    pixels = [check_pixels(picture) for _, picture in pictures]
    plain = [_features(it, most) for it in pixels]
    turned = [_features(np.ascontiguousarray(it[:, ::-1]), most) for it in pixels]
    found = []
    for mirrored, others in ((False, plain), (True, turned)):
        for one, other in _voted(plain, others):
            lying = _lying(plain[one], others[other])
            if lying is not None:
                found.append(Lying(numbers[one], numbers[other], mirrored, *lying))
    return found


def _features(pixels: NDArray[np.uint8], most: int) -> _Features:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    points, looks = cv2.SIFT.create(most, contrastThreshold=0.02).detectAndCompute(grey, None)
    size = pixels.shape[1], pixels.shape[0]
    if looks is None:
        return _Features(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32), size)
    sums = np.maximum(looks.sum(axis=1, keepdims=True), 1e-6)
    places = (np.array([it.pt for it in points], np.float32) + 0.5) / np.array(size)
    return _Features(places[:most].astype(np.float32), np.sqrt(looks / sums)[:most], size)


def _voted(ones: Sequence[_Features], others: Sequence[_Features]) -> list[tuple[int, int]]:
    """Pairs, the first number the lower, of which enough features of one are found in the other."""
    owner = np.repeat(np.arange(len(others)), [len(it.looks) for it in others])
    looks = np.concatenate([it.looks for it in others])
    pairs = []
    for one, features in enumerate(ones):
        behind = np.searchsorted(owner, one, side="right")
        alike = (features.looks @ looks[behind:].T) >= _ALIKE
        row, column = np.nonzero(alike)
        hit = np.unique(np.stack([owner[behind:][column], row]), axis=1)[0]
        votes = np.bincount(hit, minlength=len(others))
        pairs += [(one, int(other)) for other in np.flatnonzero(votes >= _VOTES)]
    return pairs


def _lying(one: _Features, other: _Features) -> tuple[Box, float] | None:
    """Where the frame of `other` lies in `one`, and the share of matches that say so."""
    alike = one.looks @ other.looks.T
    best = alike.argmax(axis=1)
    rows = np.arange(len(best))
    good = (alike[rows, best] >= _ALIKE) & (alike.argmax(axis=0)[best] == rows)
    if good.sum() < _VOTES:
        return None
    start = other.places[best[good]] * np.array(other.size, np.float32)
    end = one.places[good] * np.array(one.size, np.float32)
    matrix, inside = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=_NEAR)
    if matrix is None or inside.sum() < max(_INLIERS, _OF_MATCHES * good.sum()):
        return None
    scale, turn = matrix[0, 0], np.arctan2(matrix[1, 0], matrix[0, 0])
    if scale <= 0 or abs(turn) > _STRAIGHT:
        return None
    (width, height), (wide, high) = other.size, one.size
    box = matrix[0, 2] / wide, matrix[1, 2] / high, scale * width / wide, scale * height / high
    left, top, across, down = map(float, box)
    return (left, top, across, down), float(inside.mean())

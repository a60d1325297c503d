"""Pairs that cannot be copies told apart at a glance, many at once, on 48 x 48 pixels.

Whatever a copy was recoloured by, to first order each of its channels is a mixture of the other
one's. Where the best mixture leaves much over in much of the picture, it is another picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .cores import spread
from .prints import Box, check_pixels, check_size
from .search import Candidate

_THUMB, _SIDE = 64, 48  # pixels a side of a picture, of what two share
_SPARSE = 3  # every such pixel counts for the colours
_CHUNK, _KEPT = 128, 4096  # pairs at a time; pictures
_ROUNDS, _INLIERS = 2, 0.75
_SHARE, _CLOSE = 0.9, 8.0  # levels at which the other way round does not matter

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def make_thumb(picture: bytes, size: tuple[int, int]) -> Bytes:
    """(64, 64, 3) RGB of one of `Print.checks` of a picture of that size, whatever its shape."""
    pixels = check_pixels(picture, small=min(*size, *check_size(size)) >= 2 * _THUMB)
    return cv2.resize(pixels, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)


def glanced(hits: Sequence[Candidate], thumb: Callable[[int], Bytes | None]) -> NDArray[np.float32]:
    """(hits,) levels of difference that a tenth of the shared part exceeds, however recoloured.

    `thumb` gives the thumb of a picture; where it has none the level is 0.
    """
    levels = np.zeros(len(hits), np.float32)
    known = lru_cache(_KEPT)(thumb)

    def look(part: slice) -> None:
        seen = [(at, known(hits[at].one), known(hits[at].other)) for at in range(len(hits))[part]]
        pairs = [
            (at, *_parts(one, other, hits[at]))
            for at, one, other in seen
            if one is not None and other is not None
        ]
        if pairs:
            numbers, ones, others = zip(*pairs, strict=True)
            levels[list(numbers)] = _levels(np.stack(ones), np.stack(others))

    spread(look, len(hits), _CHUNK)
    return levels


def _parts(one: Bytes, other: Bytes, hit: Candidate) -> tuple[Bytes, Bytes]:
    """(48, 48, 3) each: what is in the boxes of two thumbs, as far as both boxes are inside."""
    (left, right), (x, end) = _inner(hit.box[::2], hit.other_box[::2], hit.mirrored)
    (top, bottom), (y, foot) = _inner(hit.box[1::2], hit.other_box[1::2])
    return _part(one, (left, top, right, bottom)), _part(other, (x, y, end, foot))


def _inner(
    side: tuple[float, ...], other: tuple[float, ...], turned: bool = False
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Two intervals (start, length) that lie on one another as (start, end), cut to 0 and 1."""
    (start, length), (begin, long) = side, other
    low, high = max(0.0, -start / length), min(1.0, (1 - start) / length)
    if turned:
        begin, long = begin + long, -long
    return (
        (start + low * length, start + high * length), (begin + low * long, begin + high * long)
    )  # fmt: skip


def _part(pixels: Bytes, box: Box) -> Bytes:
    """What is between left, top, right and bottom of a square picture; right may be left."""
    left, top, right, bottom = (edge * _THUMB for edge in box)
    across, down = (right - left) / _SIDE, (bottom - top) / _SIDE
    matrix = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        pixels, matrix, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def _levels(one: Bytes, other: Bytes) -> Floats:
    """(n,) those levels of n parts (n, 48, 48, 3), the less of either in the other's colours."""
    found = _left(_mixed(one, other), other)
    far = np.flatnonzero(found > _CLOSE)
    if len(far):
        one, other = one[far], other[far]
        found[far] = np.minimum(found[far], _left(_mixed(other, one), one))
    return found


def _left(seen: Bytes, other: Bytes) -> Floats:
    """(n,) that level; a pixel may be anything between its neighbours in the other part."""
    (low, high), (other_low, other_high) = _around(seen), _around(other)
    over = np.maximum(_less(other, high), _less(other_low, seen))
    under = np.maximum(_less(low, other), _less(seen, other_high))
    red, green, blue = np.maximum(over, under).transpose(3, 0, 1, 2)
    most = np.maximum(np.maximum(red, green), blue).reshape(len(seen), -1)
    at = int(_SHARE * most.shape[1])
    return np.partition(most, at, axis=1)[:, at].astype(np.float32)


def _less(one: Bytes, other: Bytes) -> Bytes:
    """one - other, 0 where that is less."""
    return np.maximum(one, other) - other


def _around(pixels: Bytes) -> tuple[Bytes, Bytes]:
    """The least and the most within a pixel."""
    return _widened(pixels, np.minimum), _widened(pixels, np.maximum)


def _widened(pixels: Bytes, most: np.ufunc) -> Bytes:
    rows = pixels.copy()
    most(rows[:, 1:], pixels[:, :-1], out=rows[:, 1:])
    most(rows[:, :-1], pixels[:, 1:], out=rows[:, :-1])
    found = rows.copy()
    most(found[:, :, 1:], rows[:, :, :-1], out=found[:, :, 1:])
    most(found[:, :, :-1], rows[:, :, 1:], out=found[:, :, :-1])
    return found


def _mixed(one: Bytes, other: Bytes) -> Bytes:
    """`one` with each channel the mixture of its three that most of `other` fits best."""
    source = _terms(one[:, ::_SPARSE, ::_SPARSE])
    goal = other[:, ::_SPARSE, ::_SPARSE].reshape(len(one), -1, 3).astype(np.float32)
    used = np.ones((*goal.shape[:2], 1), np.float32)
    for _ in range(_ROUNDS):
        weighed = (source * used).transpose(0, 2, 1)
        normal = weighed @ source
        normal += np.diag([1e-3] * 4).astype(np.float32) * normal[:, :1, :1]
        mixture = np.linalg.solve(normal, weighed @ goal)
        off = np.abs(source @ mixture - goal).sum(axis=2)
        at = int(_INLIERS * off.shape[1])
        used = (off <= np.partition(off, at, axis=1)[:, at, None])[..., None].astype(np.float32)
    made = _terms(one) @ mixture
    return np.rint(made.clip(0, 255)).astype(np.uint8).reshape(one.shape)


def _terms(pixels: Bytes) -> Floats:
    """(n, pixels, 4): 16 for the offset, and the channels."""
    flat = pixels.reshape(len(pixels), -1, 3).astype(np.float32)
    return np.concatenate([np.full_like(flat[..., :1], 16), flat], axis=2)

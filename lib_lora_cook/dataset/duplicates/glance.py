"""Pairs that cannot be copies told apart at a glance, many at once, on small squares.

Where one picture in the other's colours still differs in much of what they share, it is another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .colours import Recolouring, level, recoloured, recolouring
from .prints import Bytes, Floats

_SPARSE = 3  # every such pixel counts for the colours
_SHARE = 0.9


def glanced(ones: Floats, others: Floats) -> tuple[NDArray[np.uint8], Recolouring]:
    """(n,) levels that a tenth of the other (n, 3, side, side) differs by, and how the one was
    recoloured to be like it. A pixel may be anything between its neighbours."""
    made = recolouring(_sparse(ones), _sparse(others))
    seen = recoloured(_flat(ones), made).reshape(ones.shape)
    return level(_flat(_residue(_whole(seen), _whole(others))), _SHARE), made


def _sparse(squares: Floats) -> Floats:
    return _flat(squares[..., ::_SPARSE, ::_SPARSE])


def _flat(squares: NDArray[Any]) -> NDArray[Any]:
    return squares.reshape(*squares.shape[:-2], -1)


def _whole(squares: Floats) -> Bytes:
    return (squares + np.float32(0.5)).astype(np.uint8)


def _residue(one: Bytes, other: Bytes) -> Bytes:
    """(n, side, side) the most that a channel differs by."""
    (low, high), (other_low, other_high) = _around(one), _around(other)
    over = np.maximum(_less(other, high), _less(other_low, one))
    under = np.maximum(_less(low, other), _less(one, other_high))
    return np.maximum(over, under).max(axis=1)


def _less(one: Bytes, other: Bytes) -> Bytes:
    """one - other, 0 where that is less."""
    return np.maximum(one, other) - other


def _around(pixels: Bytes) -> tuple[Bytes, Bytes]:
    """The least and the most within a pixel."""
    return _widened(pixels, np.minimum), _widened(pixels, np.maximum)


def _widened(pixels: Bytes, most: np.ufunc) -> Bytes:
    rows = pixels.copy()
    most(rows[..., 1:, :], pixels[..., :-1, :], out=rows[..., 1:, :])
    most(rows[..., :-1, :], pixels[..., 1:, :], out=rows[..., :-1, :])
    found = rows.copy()
    most(found[..., 1:], rows[..., :-1], out=found[..., 1:])
    most(found[..., :-1], rows[..., 1:], out=found[..., :-1])
    return found

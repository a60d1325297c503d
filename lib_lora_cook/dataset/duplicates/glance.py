"""Pairs that cannot be copies told apart at a glance, many at once, on small squares.

Where one picture in the other's colours still differs in much of what they share, it is another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .colours import Recolouring, level, recoloured, recolouring
from .prints import Bytes, Floats

_SPARSE = 3  # every such pixel counts for the colours
_SHARE = 0.9
_EDGE, _CLOSE = 24, 12  # levels between a pixel's neighbours; levels


_Between = tuple[Bytes, Bytes, Bytes]
"""Pictures, and the least and the most within a pixel."""


@dataclass(frozen=True)
class Glance:
    """What is seen of n pairs: the levels that a tenth of both differs by, the share of all edges
    that are in both, and how the one was recoloured to be like the other."""

    levels: NDArray[np.uint8]  # (n,)
    edges: Floats  # (n,)
    recolouring: Recolouring


def glanced(ones: Floats, others: Floats) -> Glance:
    """Of pairs (n, 3, side, side). A pixel may be anything between its neighbours."""
    made = recolouring(_sparse(ones), _sparse(others))
    one = _between(recoloured(_flat(ones), made).reshape(ones.shape))
    other = _between(others)
    left = _flat(_residue(one, other))
    edges = _flat(np.maximum(_range(one), _range(other)).max(axis=1)) > _EDGE
    alike = (edges & (left <= _CLOSE)).sum(axis=1) / edges.sum(axis=1).clip(1)
    return Glance(level(left, _SHARE), alike.astype(np.float32), made)


def _sparse(squares: Floats) -> Floats:
    return _flat(squares[..., ::_SPARSE, ::_SPARSE])


def _flat(squares: NDArray[Any]) -> NDArray[Any]:
    return squares.reshape(*squares.shape[:-2], -1)


def _between(squares: Floats) -> _Between:
    seen = (squares + np.float32(0.5)).astype(np.uint8)
    return seen, _widened(seen, np.minimum), _widened(seen, np.maximum)


def _range(around: _Between) -> Bytes:
    _, low, high = around
    return high - low


def _residue(one: _Between, other: _Between) -> Bytes:
    """(n, side, side) the most that a channel differs by."""
    (seen, low, high), (other_seen, other_low, other_high) = one, other
    over = np.maximum(_less(other_seen, high), _less(other_low, seen))
    under = np.maximum(_less(low, other_seen), _less(seen, other_high))
    return np.maximum(over, under).max(axis=1)


def _less(one: Bytes, other: Bytes) -> Bytes:
    """one - other, 0 where that is less."""
    return np.maximum(one, other) - other


def _widened(pixels: Bytes, most: np.ufunc) -> Bytes:
    rows = pixels.copy()
    most(rows[..., 1:, :], pixels[..., :-1, :], out=rows[..., 1:, :])
    most(rows[..., :-1, :], pixels[..., 1:, :], out=rows[..., :-1, :])
    found = rows.copy()
    most(found[..., 1:], rows[..., :-1], out=found[..., 1:])
    most(found[..., :-1], rows[..., 1:], out=found[..., :-1])
    return found

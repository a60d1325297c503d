"""Pictures of the same thing laid over one another, many pairs at once, to a fraction of a pixel.

What copying does to the place of things is a shift and a change of size; the Gauss-Newton steps
here find both, with the change of brightness and contrast (Lucas and Kanade, 1981; the pictures'
roles exchanged as by Baker and Matthews, 2004, so that gradients are made once). Pictures are
squeezed to squares: to them a place is four numbers, the left, top, width and height that take
shares of one picture's frame to shares of another's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .prints import Floats

_STILL = 0.04  # of a pixel
_FLAT = 0.5  # levels
_MOST_STEP = 0.1  # of a side
_LEAST_SHARED = 0.3  # of a side

Places = NDArray[np.float64]
"""(n, 4): left, top, width, height of the others' frames in the ones'."""


def places_of(boxes: Places, others: Places) -> Places:
    """(n, 4): where the others' frames lie if these boxes (n, 4) lie on one another."""
    size = boxes[:, 2:] / others[:, 2:]
    return np.hstack([boxes[:, :2] - others[:, :2] * size, size])


def shared(places: Places) -> Places:
    """(n, 4): left, top, width, height of what both show, in the others' frames."""
    start, size = places[:, :2], places[:, 2:]
    low, high = (-start / size).clip(0), ((1 - start) / size).clip(max=1)
    return np.hstack([low, high - low])


def within(places: Places, parts: Places) -> Places:
    """(n, 4): the places of parts of the others' frames."""
    size = places[:, 2:]
    return np.hstack([places[:, :2] + parts[:, :2] * size, parts[:, 2:] * size])


def around(places: Places, parts: Places) -> Places:
    """(n, 4): the others' places, if these are those of parts of them."""
    size = places[:, 2:] / parts[:, 2:]
    return np.hstack([places[:, :2] - parts[:, :2] * size, size])


def is_sane(places: Places) -> NDArray[np.bool_]:
    """(n,) whether both pictures show enough of one another."""
    size, parts = places[:, 2:], shared(places)
    good = (size > 0.2) & (size < 5) & (parts[:, 2:] > _LEAST_SHARED)
    return good[:, 0] & good[:, 1]


def sampled(squares: Floats, places: Places, side: int) -> Floats:
    """(n, ..., side, side): what lies under the others' frames of squares (n, ..., more, more)."""
    more = squares.shape[-1]
    middle = (np.arange(side) + 0.5) / side
    left, top, width, height = (it[:, None] for it in places.T)
    across = _weights((left + middle * width) * more, width * more / side, more)
    down = _weights((top + middle * height) * more, height * more / side, more)
    if squares.ndim == 4:
        across, down = across[:, None], down[:, None]
    return down @ squares @ across.swapaxes(-1, -2)


def _weights(at: Places, wide: Places, side: int) -> Floats:
    """(n, points, side): how much each pixel of a line counts at points, the pixels so wide."""
    middle = (np.arange(side) + 0.5).astype(np.float32)
    weights = np.abs(at.clip(0.5, side - 0.5).astype(np.float32)[..., None] - middle)
    weights /= wide.clip(1).astype(np.float32)[..., None]
    np.subtract(1, weights, out=weights)
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def fitted(ones: Floats, others: Floats, places: Places, steps: int) -> tuple[Places, Floats]:
    """Better places for the others (n, side, side) in the ones (n, more, more), and the
    correlation there; 0 where one ran off. No step is kept that makes a pair less alike."""
    target, side = _Target(others), others.shape[-1]
    best, at = places.copy(), places.copy()
    most, going = np.full(len(places), -1.0, np.float32), np.arange(len(places))
    for _ in range(steps):
        moved, likeness = target.step(sampled(ones[going], at[going], side), at[going], going)
        won = likeness >= most[going]
        kept = going[won]
        best[kept], most[kept] = at[kept], likeness[won]
        sane = is_sane(moved)
        most[going[won & ~sane]] = 0
        still = _shift(at[going], moved) * side < _STILL
        at[going] = np.where(won[:, None], moved, (best[going] + at[going]) / 2)
        going = going[~won | (sane & ~still)]
        if not len(going):
            break
    return best, most


def _shift(before: Places, after: Places) -> Places:
    """(n,) how far a corner went at most, as a share of the frame."""
    start = after[:, :2] - before[:, :2]
    end = start + after[:, 2:] - before[:, 2:]
    return np.abs(np.hstack([start, end])).max(axis=1)


@dataclass
class _Target:
    """What is laid over others, and what a move of it would change."""

    rows: Floats  # (n, 6, pixels): by a, b, c, d where x moves by ax + b and y by cy + d; itself; 1
    inverse: NDArray[np.float64]  # (n, 6, 6)
    mean: NDArray[np.float64]  # (n,)
    spread: NDArray[np.float64]

    def __init__(self, squares: Floats) -> None:
        count, side, _ = squares.shape
        middle = ((np.arange(side) + 0.5) / side).astype(np.float32)
        self.rows = np.zeros((count, 6, side, side), np.float32)
        self.rows[:, 1, :, 1:-1] = (squares[:, :, 2:] - squares[:, :, :-2]) * (side / 2)
        self.rows[:, 3, 1:-1] = (squares[:, 2:] - squares[:, :-2]) * (side / 2)
        self.rows[:, 0] = self.rows[:, 1] * middle
        self.rows[:, 2] = self.rows[:, 3] * middle[:, None]
        self.rows[:, 4], self.rows[:, 5] = squares, 1
        self.rows = self.rows.reshape(count, 6, -1)
        normal = (self.rows @ self.rows.swapaxes(1, 2)).astype(np.float64)
        self.mean = normal[:, 4, 5] / side**2
        self.spread = normal[:, 4, 4] / side**2 - self.mean**2
        normal[:, range(6), range(6)] = normal[:, range(6), range(6)] * (1 + 1e-4) + 1e-3
        self.inverse = np.linalg.inv(normal)

    def step(
        self, seen: Floats, places: Places, which: NDArray[np.int64]
    ) -> tuple[Places, NDArray[np.float64]]:
        """Places after a Gauss-Newton step for the targets of these numbers, and the correlation
        with what is seen before it; 0 where one of them is plain."""
        flat = seen.reshape(len(seen), -1, 1)
        rows = self.rows if len(which) == len(self.rows) else self.rows[which]
        asked = (rows @ flat)[..., 0].astype(np.float64)
        found = (self.inverse[which] @ asked[..., None])[..., 0]
        gain = np.where(np.abs(found[:, 4]) > 0.1, found[:, 4], 0.1)
        a, b, c, d = (found[:, :4] / gain[:, None]).clip(-_MOST_STEP, _MOST_STEP).T
        size = places[:, 2:] / np.stack([1 + a, 1 + c], axis=1)
        moved = np.hstack([places[:, :2] - np.stack([b, d], axis=1) * size, size])
        count = flat.shape[1]
        mean = asked[:, 5] / count
        spread = np.einsum("nij,nij->n", flat, flat) / count - mean**2
        flat_ones = np.minimum(spread, self.spread[which]) < _FLAT**2
        product = asked[:, 4] / count - mean * self.mean[which]
        with np.errstate(invalid="ignore", divide="ignore"):
            likeness = product / np.sqrt(spread * self.spread[which])
        return moved, np.where(flat_ones, 0, likeness)

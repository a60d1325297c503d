"""Views of pictures as cosine coefficients, and where in one another they lie, more finely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .prints import VIEW_SIDE

_FINE = 8  # coefficients a side
_SHIFTS = (-0.02, 0.0, 0.025)
_DETAIL, _LEAST_WAVES = 14, 4  # coefficients a side; waves of both sides together at least
_STEP = 1024
EDGES = ((0.0, 1.0), *product((0.03, 0.09), (0.97, 0.91)))  # of a window, from edge to edge
WINDOWS = [(EDGES[0], EDGES[0]), *product(EDGES[1:], EDGES[1:])]

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Views:
    """All views of all pictures: whose they are, where they lie, what they show."""

    owner: Whole  # (views,)
    boxes: NDArray[np.float64]  # (views, 4)
    aspect: Floats  # (views,) width by height
    pixels: Floats  # (views, 32, 32)
    whole: Floats  # (views, 25) coefficients of length 1
    windows: Floats  # (views, 17, 25) the same in each window


@dataclass(frozen=True)
class Hits:
    """View `content` (mirrored, if so) looks like a window of view `container`."""

    container: Whole
    content: Whole
    mirrored: NDArray[np.bool_]
    window: Whole
    likeness: Floats

    def __getitem__(self, wanted: NDArray[np.generic]) -> Hits:
        return Hits(
            self.container[wanted], self.content[wanted], self.mirrored[wanted],
            self.window[wanted], self.likeness[wanted],
        )  # fmt: skip


@cache
def basis(low: float, high: float, count: int) -> Floats:
    """(count, 32): the first cosines of the interval from `low` to `high` of a side."""
    edges = np.arange(VIEW_SIDE + 1) / VIEW_SIDE
    middle = (edges[1:] + edges[:-1]) / 2
    share = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
    place = np.clip((middle - low) / (high - low), 0, 1)
    waves = np.cos(np.pi * np.arange(count)[:, None] * place) * np.sqrt(2)
    waves[0] = 1
    return (waves * share / (high - low)).astype(np.float32)


def coefficients(
    pixels: Floats, x: tuple[float, float], y: tuple[float, float], count: int
) -> tuple[Floats, Floats]:
    """(n, count * count) cosine coefficients without the mean, of length 1, and their length."""
    found = basis(*y, count) @ pixels @ basis(*x, count).T
    found[:, 0, 0] = 0
    flat = found.reshape(len(pixels), count * count)
    length = np.linalg.norm(flat, axis=1)
    return flat / (length[:, None] + 1e-6), length


def flip(count: int) -> Floats:
    """What mirroring does to the coefficients."""
    return np.tile((-1.0) ** np.arange(count), count).astype(np.float32)


def refined(views: Views, hits: Hits) -> tuple[NDArray[np.float64], Floats]:
    """For each hit the window (left, top, right, bottom) shifted a little, and how alike then."""
    content, _ = coefficients(views.pixels, (0.0, 1.0), (0.0, 1.0), _FINE)
    edges, table = _shifted_windows()
    windows = np.empty((len(hits.likeness), 4))
    likeness = np.empty(len(hits.likeness), np.float32)
    for start in range(0, len(likeness), _STEP):
        part = slice(start, start + _STEP)
        window = hits.window[part]
        along = [EDGES.index(x) for x, _ in WINDOWS], [EDGES.index(y) for _, y in WINDOWS]
        x, y = (np.array(way)[window] for way in along)
        wanted = content[hits.content[part]]
        wanted = np.where(hits.mirrored[part][:, None], wanted * flip(_FINE), wanted)
        shape = (len(window), len(table[0]), _FINE, len(table[0]), _FINE)
        rows = table[y].reshape(len(window), -1, VIEW_SIDE)
        columns = table[x].reshape(len(window), -1, VIEW_SIDE).transpose(0, 2, 1)
        found = (rows @ views.pixels[hits.container[part]] @ columns).reshape(shape)
        found = found.transpose(0, 1, 3, 2, 4).reshape(len(window), -1, _FINE**2)
        found[..., 0] = 0
        length = np.sqrt(np.einsum("nwd,nwd->nw", found, found)) + 1e-6
        cosine = (found @ wanted[:, :, None])[..., 0] / length
        best = cosine.argmax(axis=1)
        likeness[part] = cosine[np.arange(len(window)), best]
        down, across = np.divmod(best, len(table[0]))
        (left, right), (top, bottom) = edges[x, across].T, edges[y, down].T
        windows[part] = np.stack([left, top, right, bottom], axis=1)
    return windows, likeness


def detail(views: Views, hits: Hits, windows: NDArray[np.float64]) -> Floats:
    """How alike the finer waves are, which two drawings of one composition do not share."""
    waves = np.arange(_DETAIL)
    kept = (np.add.outer(waves, waves) >= _LEAST_WAVES).ravel()
    whole = basis(0.0, 1.0, _DETAIL)
    content = (whole @ views.pixels @ whole.T).reshape(len(views.pixels), -1)[:, kept]
    content /= np.linalg.norm(content, axis=1, keepdims=True) + 1e-3
    sides = windows.reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1, 2)
    ends, number = np.unique(sides, axis=0, return_inverse=True)
    table = np.array([basis(low, high, _DETAIL) for low, high in ends.tolist()])
    across, down = number.reshape(-1, 2).T
    signs = flip(_DETAIL)[kept]
    likeness = np.empty(len(windows), np.float32)
    for start in range(0, len(windows), _STEP):
        part = slice(start, start + _STEP)
        pixels = views.pixels[hits.container[part]]
        found = table[down[part]] @ pixels @ table[across[part]].transpose(0, 2, 1)
        found = found.reshape(len(pixels), -1)[:, kept]
        wanted = content[hits.content[part]]
        wanted = np.where(hits.mirrored[part][:, None], wanted * signs, wanted)
        length = np.linalg.norm(found, axis=1) + 1e-3
        likeness[part] = np.einsum("nd,nd->n", found, wanted) / length
    return likeness


@cache
def _shifted_windows() -> tuple[NDArray[np.float64], Floats]:
    """(5, 9, 2) each interval of EDGES moved at both ends, and (5, 9, 8, 32) their bases."""
    edges = np.array([
        [(max(0, low + a), min(1, high + b)) for a in _SHIFTS for b in _SHIFTS]
        for low, high in EDGES
    ])  # fmt: skip
    table = [[basis(low, high, _FINE) for low, high in row] for row in edges.tolist()]
    return edges, np.array(table)

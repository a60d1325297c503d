"""Views of pictures as cosine coefficients, and where in one another they lie, more finely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .prints import VIEW_SIDE, Bytes, Floats
from .workers import Workers

_PLACES, _MARGIN = 256, 44  # a side is cut at such parts, no further in than this
_FEW = 20  # windows in which many hits lie
_CHUNK, _MANY = 1024, 40  # hits at a time; chunks for which processes pay
_MOST_STEP = 0.04  # of a side
_NO_BETTER = 0.01  # cosine by which two pictures must gain to be no longer laid edge on edge
_STIFF = 0.1  # of a wave's length, that a window does not move for nothing
EDGES = ((0.0, 1.0), *product((0.03, 0.09), (0.97, 0.91)))  # of a window, from edge to edge
Window = tuple[tuple[float, float], tuple[float, float]]
"""Where its sides begin and end, across and down."""
WINDOWS: list[Window] = [(EDGES[0], EDGES[0]), *product(EDGES[1:], EDGES[1:])]
_CORNERS = np.array([(x[0], y[0], x[1], y[1]) for x, y in WINDOWS])

Whole = NDArray[np.int32]


@dataclass(frozen=True)
class Views:
    """All views of all pictures: whose they are, where they lie, what they show."""

    owner: Whole  # (views,)
    boxes: NDArray[np.float64]  # (views, 4)
    aspect: Floats  # (views,) width by height
    pixels: Bytes  # (views, 32, 32)
    whole: Floats  # (views, 25) coefficients of length 1
    middle: Floats  # (views, 25) the same of what is left when a little is cut all round
    windows: Floats  # (views, 17, 25) the same in each window


@dataclass(frozen=True)
class Hits:
    """View `content` (mirrored, if so) looks like a window of view `container`."""

    container: Whole
    content: Whole
    mirrored: NDArray[np.bool_]
    window: Bytes
    likeness: Floats

    def __getitem__(self, wanted: NDArray[np.generic] | slice) -> Hits:
        return Hits(
            self.container[wanted], self.content[wanted], self.mirrored[wanted],
            self.window[wanted], self.likeness[wanted],
        )  # fmt: skip

    def places(self) -> NDArray[np.float64]:
        """(hits, 4): left, top, right and bottom of the windows."""
        return _CORNERS[self.window]


def bases(low: NDArray[np.float64], high: NDArray[np.float64], count: int) -> Floats:
    """(n, count, 32): the first cosines of the intervals from `low` to `high` of a side."""
    low, high = low[:, None], high[:, None]
    edges = np.arange(VIEW_SIDE + 1) / VIEW_SIDE
    middle = (edges[1:] + edges[:-1]) / 2
    share = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
    place = np.clip((middle - low) / (high - low), 0, 1)
    waves = np.cos(np.pi * np.arange(count)[:, None] * place[:, None]) * np.sqrt(2)
    waves[:, 0] = 1
    return np.asarray(waves * (share / (high - low))[:, None], np.float32)


def coefficients(pixels: Bytes, windows: Sequence[Window], count: int) -> tuple[Floats, Floats]:
    """(n, windows, count * count) cosine coefficients without the mean, of length 1, and (n,) the
    length of those of the first window."""
    sides = sorted({side for window in windows for side in window})
    low, high = np.array(sides, np.float64).T
    waves = bases(low, high, count).reshape(-1, VIEW_SIDE)
    places = [(sides.index(y), sides.index(x)) for x, y in windows]
    made = np.empty((len(pixels), len(windows), count, count), np.float32)
    for part in (slice(start, start + _CHUNK) for start in range(0, len(pixels), _CHUNK)):
        across = pixels[part].astype(np.float32).reshape(-1, VIEW_SIDE) @ waves.T
        both = waves @ across.reshape(-1, VIEW_SIDE, len(waves))
        grid = both.reshape(-1, len(sides), count, len(sides), count)
        for at, (row, column) in enumerate(places):
            made[part, at] = grid[:, row, :, column]
    flat = made.reshape(len(pixels), len(windows), -1)
    flat[..., 0] = 0
    length = np.linalg.norm(flat, axis=2)
    flat /= length[..., None] + np.float32(1e-6)
    return flat, length[:, 0]


def flip(count: int) -> Floats:
    """What mirroring does to the coefficients."""
    return np.tile((-1.0) ** np.arange(count), count).astype(np.float32)


def fitted(
    views: Views,
    hits: Hits,
    places: NDArray[np.float64],
    waves: tuple[int, int],
    workers: Workers,
) -> tuple[NDArray[np.float64], Floats]:
    """The windows (hits, 4) after a Gauss-Newton step to where they fit, and how alike then.

    waves: coefficients a side, and those of both sides together that are the first to count.
    """
    fit = partial(_fitted, views.pixels, _contents(views.pixels, waves[0]), waves)
    starts = range(0, len(places), _CHUNK)
    parts = ((hits[part], places[part]) for part in (slice(it, it + _CHUNK) for it in starts))
    found, likeness = [np.empty((0, 4))], [np.empty(0, np.float32)]
    for new, alike in workers.map(fit, parts, len(starts) > _MANY):
        found.append(new)
        likeness.append(alike)
    return np.concatenate(found), np.concatenate(likeness)


def _fitted(
    pixels: Bytes,
    contents: Floats,
    waves: tuple[int, int],
    part: tuple[Hits, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], Floats]:
    """The same of some hits; contents: (views, count * count) coefficients of the whole views."""
    (hits, places), (count, least) = part, waves
    kept = (np.add.outer(np.arange(count), np.arange(count)) >= least).ravel()
    number = np.rint(places * _PLACES).astype(np.int64)
    low = number[:, :2].clip(0, _MARGIN)
    high = (_PLACES - number[:, 2:]).clip(0, _MARGIN)
    across, down = (low * (_MARGIN + 1) + high).T
    made = _moved(pixels[hits.container], down, across, count)
    wanted = contents[hits.content]
    wanted = np.where(hits.mirrored[:, None], wanted * flip(count), wanted)[:, kept]
    step, likeness, before = _solved(made[..., kept], wanted)
    whole = ~(low | high).any(axis=1)
    step[whole & (before > likeness - _NO_BETTER)] = 0
    return np.hstack([low, _PLACES - high]) / _PLACES + step, likeness


def _moved(pixels: Bytes, down: NDArray[np.int64], across: NDArray[np.int64], count: int) -> Floats:
    """(n, 5, count * count) coefficients in these intervals, and what a move of each edge adds."""
    moving, ways = _moving(count), ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0))
    made = np.empty((len(pixels), 5, count, count), np.float32)
    places, place = np.unique(down * len(moving) + across, return_inverse=True)
    if len(places) > _FEW:
        all_ways = moving[down] @ pixels.astype(np.float32) @ moving[across].transpose(0, 2, 1)
        all_ways = all_ways.reshape(-1, 3, count, 3, count)
        for at, (low, high) in enumerate(ways):
            made[:, at] = all_ways[:, low, :, high]
        return made.reshape(len(pixels), 5, -1)
    for number in range(len(places)):  # large products are several times as quick
        some = np.flatnonzero(place == number)
        rows, columns = moving[down[some[0]]], moving[across[some[0]]]
        part = pixels[some].astype(np.float32).reshape(-1, VIEW_SIDE) @ columns.T
        part = part.reshape(-1, VIEW_SIDE, 3 * count).transpose(0, 2, 1)
        all_ways = (np.ascontiguousarray(part).reshape(-1, VIEW_SIDE) @ rows.T).reshape(
            -1, 3, count, 3, count
        )
        for at, (low, high) in enumerate(ways):
            made[some, at] = all_ways[:, high, :, low].transpose(0, 2, 1)
    return made.reshape(len(pixels), 5, -1)


def _solved(terms: Floats, wanted: Floats) -> tuple[Floats, Floats, Floats]:
    """The best step (n, 4), the cosine after it of `wanted` (n, waves) and what is there, and
    that before it.

    terms: (n, 5, waves), what is there, and what a move of each edge adds to it.
    """
    terms = terms / (np.linalg.norm(terms[:, 0], axis=1)[:, None, None] + 1e-3)
    wanted = wanted / (np.linalg.norm(wanted, axis=1, keepdims=True) + 1e-3)
    normal = terms @ terms.transpose(0, 2, 1)
    normal += np.diag([_STIFF * 1e-4, *[_STIFF] * 4]).astype(np.float32)
    asked = terms @ wanted[:, :, None]
    found = np.linalg.solve(normal, asked)[..., 0]
    likeness = np.sqrt((asked[..., 0] * found).sum(axis=1).clip(0))
    step = (found[:, 1:] / found[:, :1].clip(0.2)).clip(-_MOST_STEP, _MOST_STEP)
    return step, likeness, asked[:, 0, 0]


def _contents(pixels: Bytes, count: int) -> Floats:
    """(views, count * count) coefficients of the whole views."""
    whole = bases(np.zeros(1), np.ones(1), count)[0]
    found = np.empty((len(pixels), count * count), np.float32)
    for part in (slice(start, start + _CHUNK) for start in range(0, len(pixels), _CHUNK)):
        made = whole @ pixels[part].astype(np.float32) @ whole.T
        found[part] = made.reshape(len(made), -1)
    return found


@cache
def _moving(count: int) -> Floats:
    """(windows, 3 * count, 32) of each interval its basis and how that changes with both ends."""
    low, high = np.indices((_MARGIN + 1, _MARGIN + 1)).reshape(2, -1) / _PLACES
    high, part = 1 - high, 1 / _PLACES
    before, after = (low - part).clip(0), low + part
    inner, outer = high - part, (high + part).clip(max=1)
    rows: list[Floats] = [
        bases(low, high, count),
        (bases(after, high, count) - bases(before, high, count)) / _wide(before, after),
        (bases(low, outer, count) - bases(low, inner, count)) / _wide(inner, outer),
    ]
    return np.concatenate(rows, axis=1).astype(np.float32)


def _wide(start: NDArray[np.float64], end: NDArray[np.float64]) -> Floats:
    return np.asarray((end - start)[:, None, None], np.float32)

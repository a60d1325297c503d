"""Views of pictures as cosine coefficients, and where in one another they lie, more finely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .cores import spread
from .prints import VIEW_SIDE, Bytes, Floats

_PLACES, _MARGIN = 256, 44  # a side is cut at such parts, no further in than this
_CHUNK = 1024
_MOST_STEP = 0.04  # of a side
_NO_BETTER = 0.01  # cosine by which two pictures must gain to be no longer laid edge on edge
_STIFF = 0.1  # of a wave's length, that a window does not move for nothing
EDGES = ((0.0, 1.0), *product((0.03, 0.09), (0.97, 0.91)))  # of a window, from edge to edge
WINDOWS = [(EDGES[0], EDGES[0]), *product(EDGES[1:], EDGES[1:])]
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


def coefficients(
    pixels: Bytes, x: tuple[float, float], y: tuple[float, float], count: int
) -> tuple[Floats, Floats]:
    """(n, count * count) cosine coefficients without the mean, of length 1, and their length."""
    down, across = (bases(np.array([low]), np.array([high]), count)[0] for low, high in (y, x))
    parts = (slice(start, start + _CHUNK) for start in range(0, len(pixels), _CHUNK))
    made = [down @ pixels[part].astype(np.float32) @ across.T for part in parts]
    flat = np.concatenate([np.empty((0, count, count), np.float32), *made]).reshape(-1, count**2)
    flat[:, 0] = 0
    length = np.linalg.norm(flat, axis=1)
    return flat / (length[:, None] + 1e-6), length


def flip(count: int) -> Floats:
    """What mirroring does to the coefficients."""
    return np.tile((-1.0) ** np.arange(count), count).astype(np.float32)


def fitted(
    views: Views, hits: Hits, places: NDArray[np.float64], waves: tuple[int, int]
) -> tuple[NDArray[np.float64], Floats]:
    """The windows (hits, 4) after a Gauss-Newton step to where they fit, and how alike then.

    waves: coefficients a side, and those of both sides together that are the first to count.
    """
    count, least = waves
    kept = (np.add.outer(np.arange(count), np.arange(count)) >= least).ravel()
    number = np.rint(places * _PLACES).astype(np.int64)
    low = number[:, :2].clip(0, _MARGIN)
    high = (_PLACES - number[:, 2:]).clip(0, _MARGIN)
    across, down = (low * (_MARGIN + 1) + high).T
    moving, signs = _moving(count), flip(count)
    contents = _contents(views.pixels, count)
    step, likeness = np.empty((len(places), 4)), np.empty(len(places), np.float32)

    def fit(part: slice) -> None:
        pixels = views.pixels[hits.container[part]].astype(np.float32)
        made = moving[down[part]] @ pixels @ moving[across[part]].transpose(0, 2, 1)
        made = made.reshape(-1, 3, count, 3, count)
        wanted = contents[hits.content[part]]
        wanted = np.where(hits.mirrored[part][:, None], wanted * signs, wanted)[:, kept]
        ways = (made[:, a, :, b] for a, b in ((0, 0), (0, 1), (1, 0), (0, 2), (2, 0)))
        terms = np.stack([way.reshape(len(made), -1)[:, kept] for way in ways], axis=1)
        step[part], likeness[part], before = _solved(terms, wanted)
        whole = ~(low[part] | high[part]).any(axis=1)
        step[part][whole & (before > likeness[part] - _NO_BETTER)] = 0

    spread(fit, len(places), _CHUNK)
    return np.hstack([low, _PLACES - high]) / _PLACES + step, likeness


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

    def fill(part: slice) -> None:
        made = whole @ pixels[part].astype(np.float32) @ whole.T
        found[part] = made.reshape(len(made), -1)

    spread(fill, len(pixels), _CHUNK)
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

"""Which pictures may be copies of one another, by the low frequencies of what they show.

A picture that was cut shows what a window of the other one shows. 16 windows, 3% or 9% off each
side, are within 3% of every cut up to 12%, and coefficients of up to two waves a side still agree
at 3%. A mirrored picture has the same coefficients with the sign of the odd ones turned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .prints import VIEW_SIDE, Box, Print
from .textures import texture_pairs, textures

_COARSE, _FINE = 5, 8  # coefficients a side
_EDGES = ((0.0, 1.0), *product((0.03, 0.09), (0.97, 0.91)))  # of a window, from edge to edge
_SHIFTS = (-0.02, 0.0, 0.025)
_MOST_LIKE = 4_000_000  # pairs of whole views that are looked at again, the most alike
_LIKELY = 0.84  # least cosine in the best window
_SAME = 0.88  # the same with finer windows and frequencies
_MOST_PAIRS = 240_000  # over all pictures; a picture's best partners go first
_OF_A_PAIR = 8  # hits: bars and margins are seen differently in two pictures
_SAME_PLACE = 0.03  # share of a side by which two hits of a pair differ at least
_ASPECT = 1.15
_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_FLAT = 2.0  # least root mean square of a view's coefficients, in levels

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """Pictures `one` and `other` (mirrored, if so) that may show the same in these boxes."""

    one: int
    other: int
    mirrored: bool
    box: Box  # of one
    other_box: Box  # of other, as it is before it is mirrored
    likeness: float


@dataclass(frozen=True)
class _Views:
    """All views of all pictures: whose they are, where they lie, what they show."""

    owner: Whole  # (views,)
    boxes: NDArray[np.float64]  # (views, 4)
    aspect: Floats  # (views,) width by height
    pixels: Floats  # (views, 32, 32)
    whole: Floats  # (views, 25) coefficients of length 1
    windows: Floats  # (views, 17, 25) the same in each window


@dataclass(frozen=True)
class _Hits:
    """View `content` (mirrored, if so) looks like a window of view `container`."""

    container: Whole
    content: Whole
    mirrored: NDArray[np.bool_]
    window: Whole
    likeness: Floats

    def __getitem__(self, wanted: NDArray[np.generic]) -> _Hits:
        return _Hits(
            self.container[wanted], self.content[wanted], self.mirrored[wanted],
            self.window[wanted], self.likeness[wanted],
        )  # fmt: skip


def candidates(
    prints: Sequence[Print], picture: Callable[[int], bytes] | None = None
) -> list[Candidate]:
    """The pairs worth a closer look, the most alike first; `one` shows more, or comes first.

    A pair may be there several times, where it is laid out differently. `picture` gives the first
    of `Print.checks`, if the prints came without.
    """
    views, low = _views_of(prints)
    found = _by_views(views) if len(views.owner) > 1 else []
    pairs = texture_pairs(textures(prints, low), picture or (lambda it: prints[it].checks[0]))
    found += [Candidate(it.one, it.other, it.mirrored, it.box, _WHOLE, it.likeness) for it in pairs]
    return found


def _by_views(views: _Views) -> list[Candidate]:
    hits = _kept(views, _alike(views), _MOST_PAIRS)
    shifted, likeness = _refined(views, hits)
    found = np.flatnonzero(likeness >= _SAME)
    order = found[np.argsort(-likeness[found], kind="stable")]
    seen: dict[tuple[int, int, bool], list[NDArray[np.float64]]] = {}
    chosen = []
    for at in order:
        container, content = int(hits.container[at]), int(hits.content[at])
        box = _inside(views.boxes[container], shifted[at])
        other_box: Box = tuple(views.boxes[content].tolist())
        hit = Candidate(
            int(views.owner[container]), int(views.owner[content]), bool(hits.mirrored[at]),
            box, other_box, float(likeness[at]),
        )  # fmt: skip
        places = seen.setdefault((hit.one, hit.other, hit.mirrored), [])
        place = _corners(hit)
        if all(np.abs(place - it).max() > _SAME_PLACE for it in places):
            places.append(place)
            chosen.append(hit)
    return chosen


def _corners(hit: Candidate) -> NDArray[np.float64]:
    """Where the corners of other's frame (mirrored, if so) lie in one's, in shares."""
    (x, y, width, height), (left, top, wide, high) = hit.box, hit.other_box
    left = 1 - left - wide if hit.mirrored else left
    start = x - left * width / wide, y - top * height / high
    return np.array([*start, start[0] + width / wide, start[1] + height / high])


def _views_of(prints: Sequence[Print]) -> tuple[_Views, Floats]:
    """The views that tell something, and how many levels the low frequencies of each view have."""
    owner = np.array([n for n, it in enumerate(prints) for _ in it.boxes], np.int64)
    boxes = np.array([box for it in prints for box in it.boxes]).reshape(-1, 4)
    sides = np.array([(it.width, it.height) for it in prints]).reshape(-1, 2)[owner]
    aspect = (boxes[:, 2] * sides[:, 0] / (boxes[:, 3] * sides[:, 1])).astype(np.float32)
    empty = np.empty((0, VIEW_SIDE, VIEW_SIDE), np.uint8)
    pixels = np.concatenate([empty, *(it.views for it in prints)]).astype(np.float32)
    whole, level = _coefficients(pixels, (0.0, 1.0), (0.0, 1.0), _COARSE)
    told = level >= _FLAT  # a plain view is like anything
    owner, boxes, aspect, pixels, whole = (
        owner[told], boxes[told], aspect[told], pixels[told], whole[told]
    )  # fmt: skip
    windows = [_coefficients(pixels, x, y, _COARSE)[0] for x, y in _WINDOWS]
    return _Views(owner, boxes, aspect, pixels, whole, np.stack(windows, axis=1)), level


_WINDOWS = [(_EDGES[0], _EDGES[0]), *product(_EDGES[1:], _EDGES[1:])]


@cache
def _basis(low: float, high: float, count: int) -> Floats:
    """(count, 32): the first cosines of the interval from `low` to `high` of a side."""
    edges = np.arange(VIEW_SIDE + 1) / VIEW_SIDE
    middle = (edges[1:] + edges[:-1]) / 2
    share = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
    place = np.clip((middle - low) / (high - low), 0, 1)
    waves = np.cos(np.pi * np.arange(count)[:, None] * place) * np.sqrt(2)
    waves[0] = 1
    return (waves * share / (high - low)).astype(np.float32)


def _coefficients(
    pixels: Floats, x: tuple[float, float], y: tuple[float, float], count: int
) -> tuple[Floats, Floats]:
    """(n, count * count) cosine coefficients without the mean, of length 1, and their length."""
    found = _basis(*y, count) @ pixels @ _basis(*x, count).T
    found[:, 0, 0] = 0
    flat = found.reshape(len(pixels), count * count)
    length = np.linalg.norm(flat, axis=1)
    return flat / (length[:, None] + 1e-6), length


def _flip(count: int) -> Floats:
    """What mirroring does to the coefficients."""
    return np.tile((-1.0) ** np.arange(count), count).astype(np.float32)


def _alike(views: _Views) -> _Hits:
    """Every view with each window that another picture's view is like."""
    flip, like = _flip(_COARSE), _least_like(views.whole)
    parts: list[tuple[NDArray[np.generic], ...]] = []
    step = 256
    for start in range(0, len(views.owner), step):
        rows = np.arange(start, min(start + step, len(views.owner)))
        for mirrored in (False, True):
            seen = views.whole * flip if mirrored else views.whole
            near = views.whole[rows] @ seen.T >= like
            near &= views.owner[rows][:, None] != views.owner
            for row, others in zip(rows, near, strict=True):
                content = np.flatnonzero(others)
                if len(content):
                    parts.append(_best_windows(views, int(row), content, seen[content], mirrored))
    if not parts:
        none = np.empty(0, np.int64)
        return _Hits(none, none, none.astype(bool), none, none.astype(np.float32))
    return _Hits(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _best_windows(
    views: _Views, row: int, content: Whole, seen: Floats, mirrored: bool
) -> tuple[NDArray[np.generic], ...]:
    likeness = views.windows[row] @ seen.T  # (17, content)
    aspect = views.aspect[row] * _WINDOW_ASPECT[:, None] / views.aspect[content]
    likeness[(aspect > _ASPECT) | (aspect < 1 / _ASPECT)] = 0
    window = likeness.argmax(axis=0)
    likeness = likeness[window, np.arange(len(content))]
    good = np.flatnonzero(likeness >= _LIKELY)
    return (
        np.full(len(good), row), content[good], np.full(len(good), mirrored), window[good],
        likeness[good],
    )  # fmt: skip


_WINDOW_ASPECT = np.array([(x[1] - x[0]) / (y[1] - y[0]) for x, y in _WINDOWS], np.float32)


def _least_like(whole: Floats) -> float:
    """The cosine that lets _MOST_LIKE pairs of views pass, or all that may be something."""
    rows = whole[:: max(1, len(whole) // 400)]
    cosines = (rows @ whole.T).ravel()
    share = _MOST_LIKE / len(whole) ** 2 / 2
    return float(np.quantile(cosines, 1 - share)) if share < 1 else -1.0


def _kept(views: _Views, hits: _Hits, most: int) -> _Hits:
    """For each pair of pictures and way round its best hits; of too many, each one's best."""
    one, other = views.owner[hits.container], views.owner[hits.content]
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((one, -hits.likeness, hits.mirrored, high, low))
    key = np.stack([low, high, hits.mirrored])[:, order]
    first = np.append(True, (key[:, 1:] != key[:, :-1]).any(axis=0))[: len(order)]
    starts = np.flatnonzero(first)
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    hits = hits[order[rank < _OF_A_PAIR]]
    if len(hits.likeness) <= most:
        return hits
    one, other = views.owner[hits.container], views.owner[hits.content]
    turn = np.minimum(_turn(one, hits.likeness), _turn(other, hits.likeness))
    return hits[np.sort(np.lexsort((-hits.likeness, turn))[:most])]


def _turn(owner: Whole, likeness: Floats) -> Whole:
    """How many better hits the same picture has."""
    order = np.lexsort((-likeness, owner))
    starts = np.flatnonzero(np.append(True, owner[order][1:] != owner[order][:-1]))
    lengths = np.diff(np.append(starts, len(order)))
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return turn


def _refined(views: _Views, hits: _Hits) -> tuple[NDArray[np.float64], Floats]:
    """For each hit the window (left, top, right, bottom) shifted a little, and how alike then."""
    content, _ = _coefficients(views.pixels, (0.0, 1.0), (0.0, 1.0), _FINE)
    edges, table = _shifted_windows()
    windows = np.empty((len(hits.likeness), 4))
    likeness = np.empty(len(hits.likeness), np.float32)
    step = 1024
    for start in range(0, len(likeness), step):
        part = slice(start, start + step)
        window = hits.window[part]
        along = [_EDGES.index(x) for x, _ in _WINDOWS], [_EDGES.index(y) for _, y in _WINDOWS]
        x, y = (np.array(way)[window] for way in along)
        wanted = content[hits.content[part]]
        wanted = np.where(hits.mirrored[part][:, None], wanted * _flip(_FINE), wanted)
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


@cache
def _shifted_windows() -> tuple[NDArray[np.float64], Floats]:
    """(5, 9, 2) each interval of _EDGES moved at both ends, and (5, 9, 8, 32) their bases."""
    edges = np.array([
        [(max(0, low + a), min(1, high + b)) for a in _SHIFTS for b in _SHIFTS]
        for low, high in _EDGES
    ])  # fmt: skip
    table = [[_basis(low, high, _FINE) for low, high in row] for row in edges.tolist()]
    return edges, np.array(table)


def _inside(box: NDArray[np.float64], window: NDArray[np.float64]) -> Box:
    left, top, width, height = box.tolist()
    x, y, right, bottom = window.tolist()
    return left + x * width, top + y * height, (right - x) * width, (bottom - y) * height

"""Which pictures may be copies of one another, by the low frequencies of what they show.

A picture that was cut shows what a window of the other one shows. 16 windows, 3% or 9% off each
side, are within 3% of every cut up to 12%, and coefficients of up to two waves a side still agree
at 3%. A mirrored picture has the same coefficients with the sign of the odd ones turned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .laid import Laid
from .prints import VIEW_SIDE, Box, Floats, Print
from .textures import texture_pairs, textures
from .views import WINDOWS, Hits, Views, Whole, Window, coefficients, fitted, flip
from .workers import Workers

_COARSE = 5  # coefficients a side
_MOST_LIKE = 4_000_000  # pairs of views that are looked at again, the most alike
_MIDDLE: Window = ((0.05, 0.95), (0.05, 0.95))  # like what was cut by 12%, and what was not
_LIKELY = 0.84  # least cosine in the best window
_OF_A_VIEW, _OF_ALL_VIEWS = (12, 64), 320_000  # hits either way round, the fewer of many views
_ROWS = 128  # views at a time
_MANY, _MANY_TEXTURES = 4000, 20  # for which processes pay
_SHAPES, _SAME = (8, 1), 0.88  # waves; least cosine where the window fits best
_DETAIL, _SAME_DETAIL = (14, 4), 0.84  # the same of the finer ones
_SURE = 0.92  # cosine below which just a picture's best partners are looked at
_PER_PARTNER = 0.04  # one more for each such step above the least cosine
_MOST_PAIRS = 80_000  # over all pictures; a picture's best partners go first
_OF_A_PAIR = 6  # hits: bars and margins are seen differently in two pictures
_ASPECT = 0.14  # logarithm of width by height, by which two may differ: 15%
_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_FLAT = 2.0  # least root mean square of a view's coefficients, in levels


def candidates(
    prints: Sequence[Print],
    checks: Callable[[Iterable[int]], Mapping[int, Sequence[bytes]]] | None = None,
    workers: Workers | None = None,
) -> Laid:
    """The pairs worth a closer look, the most alike first; the lower number is `one`.

    A pair may be there several times, where it is laid out differently. `checks` gives those of
    some prints, if they came without.
    """
    views, textured = _views_of(prints)
    workers = workers or Workers()
    seen = checks(textured) if checks else {number: prints[number].checks for number in textured}
    pictures = [(number, seen[number][0]) for number in textured]
    with ThreadPoolExecutor(1) as beside:
        by_texture = beside.submit(_by_texture, pictures, workers)
        return (_by_views(views, workers) + by_texture.result()).apart()


def _by_texture(pictures: Sequence[tuple[int, bytes]], workers: Workers) -> Laid:
    (pairs,) = workers.map(texture_pairs, [pictures], len(pictures) > _MANY_TEXTURES)
    rows = [(it.one, it.other, it.mirrored, *it.box, *_WHOLE, it.likeness) for it in pairs]
    return Laid.of(np.array(rows, np.float64))


def _by_views(views: Views, workers: Workers) -> Laid:
    if not len(views.owner):
        return Laid.of(np.empty(0))
    hits = _alike(views, workers)
    hits = hits[_best(views, hits, _OF_A_PAIR)]
    hits = hits[_foremost(views, hits, _MOST_PAIRS)]
    places, likeness = fitted(views, hits, hits.places(), _SHAPES, workers)
    good = np.flatnonzero(likeness >= _SAME)
    hits = replace(hits, likeness=likeness)
    good = good[_best(views, hits[good], _OF_A_PAIR // 2)]
    hits = hits[good]
    places, likeness = fitted(views, hits, places[good], _DETAIL, workers)
    good = np.flatnonzero(likeness >= _SAME_DETAIL)
    order = good[np.argsort(-likeness[good], kind="stable")]
    found = _laid(views, hits[order], places[order], likeness[order]).apart()
    alike = found.likeness
    turn = _turn(np.append(found.one, found.other), np.tile(alike, 2)).reshape(2, -1).min(axis=0)
    looked_at = (alike >= _SURE) | (turn <= (alike - _SAME_DETAIL) / _PER_PARTNER)
    return found[np.flatnonzero(looked_at)]


def _laid(views: Views, hits: Hits, places: NDArray[np.float64], likeness: Floats) -> Laid:
    """The contents on these windows (hits, 4) of the containers."""
    boxes = views.boxes[hits.container]
    start, end = places[:, :2], places[:, 2:]
    inside = np.hstack([boxes[:, :2] + start * boxes[:, 2:], (end - start) * boxes[:, 2:]])
    laid = Laid(
        views.owner[hits.container], views.owner[hits.content], hits.mirrored,
        inside, views.boxes[hits.content], likeness.astype(np.float64),
    )  # fmt: skip
    return laid.ordered()


def _views_of(prints: Sequence[Print]) -> tuple[Views, list[int]]:
    """The views that tell something, and which pictures are textures."""
    owner = np.array([n for n, it in enumerate(prints) for _ in it.boxes], np.int32)
    boxes = np.array([box for it in prints for box in it.boxes]).reshape(-1, 4)
    sides = np.array([(it.width, it.height) for it in prints]).reshape(-1, 2)[owner]
    aspect = (boxes[:, 2] * sides[:, 0] / (boxes[:, 3] * sides[:, 1])).astype(np.float32)
    empty = np.empty((0, VIEW_SIDE, VIEW_SIDE), np.uint8)
    pixels = np.concatenate([empty, *(it.views for it in prints)])
    seen, level = coefficients(pixels, [*WINDOWS, _MIDDLE], _COARSE)
    told = level >= _FLAT  # a plain view is like anything
    seen = seen[told]
    whole, middle, windows = np.ascontiguousarray(seen[:, 0]), seen[:, -1], seen[:, :-1]
    views = Views(owner[told], boxes[told], aspect[told], pixels[told], whole, middle, windows)
    return views, textures(owner, pixels, level)


def _alike(views: Views, workers: Workers) -> Hits:
    """Every view with each window that another picture's view is like.

    They are looked at by aspect, so that only those between some bounds need be compared.
    """
    order = np.argsort(views.aspect, kind="stable")
    most = int(np.clip(_OF_ALL_VIEWS / len(order), *_OF_A_VIEW))
    sight = _Sight(
        views.whole[order], views.owner[order], np.log(views.aspect[order]), _least_like(views),
        most,
    )  # fmt: skip
    parts = (
        (start, views.middle[part], views.windows[part])
        for start, part in ((at, order[at : at + _ROWS]) for at in range(0, len(order), _ROWS))
    )
    found = _joined(list(workers.map(partial(_looked_at, sight), parts, len(order) > _MANY)))
    container, content = (order[it].astype(np.int32) for it in (found.container, found.content))
    return replace(found, container=container, content=content)


@dataclass(frozen=True)
class _Sight:
    """What each view is compared with, by aspect."""

    whole: Floats  # (views, 25)
    owner: Whole
    aspect: Floats  # its logarithm
    like: float
    most: int  # hits of a view either way round


def _looked_at(sight: _Sight, part: tuple[int, Floats, Floats]) -> Hits:
    """Some views, `middle` and `windows` of number `start` and those behind it, with all."""
    start, middle, windows = part
    low, high = sight.aspect[start] - _REACH, sight.aspect[start + len(middle) - 1] + _REACH
    first, end = np.searchsorted(sight.aspect, (low, high))
    signs, found = flip(_COARSE), []
    for mirrored, turn in ((False, np.float32(1)), (True, signs)):
        alike = (middle * turn) @ sight.whole[first:end].T >= sight.like
        row, content = np.divmod(np.flatnonzero(alike), end - first)
        content += first
        others = sight.owner[content] != sight.owner[row + start]
        row, content = row[others], content[others]
        window, likeness = _best_windows(sight, start, windows * turn, row, content)
        good = np.flatnonzero(likeness >= _LIKELY)
        good = good[_turn(row[good], likeness[good]) < sight.most]
        found.append(Hits(
            (row[good] + start).astype(np.int32), content[good].astype(np.int32),
            np.full(len(good), mirrored), window[good].astype(np.uint8), likeness[good],
        ))  # fmt: skip
    return _joined(found)


def _joined(parts: list[Hits]) -> Hits:
    if not parts:
        none = np.empty(0, np.int32)
        return Hits(none, none, none.astype(bool), none.astype(np.uint8), none.astype(np.float32))
    names = (field.name for field in fields(Hits))
    return Hits(*(np.concatenate([getattr(it, name) for it in parts]) for name in names))


def _best_windows(
    sight: _Sight, start: int, windows: Floats, row: NDArray[np.int64], content: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Floats]:
    """(pairs,) in which window of view `start + row` view `content` fits best, and how well."""
    likeness = np.empty((len(row), len(WINDOWS)), np.float32)
    seen = sight.whole[content]
    for at, part in _parts(row):
        np.matmul(seen[part], windows[at].T, out=likeness[part])
    aspect = sight.aspect[row + start] - sight.aspect[content]
    likeness[np.abs(aspect[:, None] + _WINDOW_ASPECT) > _ASPECT] = 0
    window = likeness.argmax(axis=1)
    return window, likeness[np.arange(len(row)), window]


def _parts(row: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Each number that is there, and where in the sorted ones."""
    edges = np.flatnonzero(np.diff(row, prepend=-1, append=-1)).tolist()
    return ((int(row[low]), slice(low, high)) for low, high in pairwise(edges))


_WINDOW_ASPECT = np.log([(x[1] - x[0]) / (y[1] - y[0]) for x, y in WINDOWS]).astype(np.float32)
_REACH = _ASPECT + float(_WINDOW_ASPECT.max())


def _least_like(views: Views) -> float:
    """The cosine that lets _MOST_LIKE pairs of views pass, or all that may be something."""
    whole = views.whole
    rows = views.middle[:: max(1, len(whole) // 400)]
    cosines = (rows @ whole.T).ravel()
    share = _MOST_LIKE / len(whole) ** 2 / 2
    if share >= 1:
        return -1.0
    at = int((1 - share) * (len(cosines) - 1))
    cosines.partition(at)
    return float(cosines[at])


def _best(views: Views, hits: Hits, most: int) -> NDArray[np.int64]:
    """Which are the `most` best hits of each pair of pictures and way round."""
    one, other = views.owner[hits.container], views.owner[hits.content]
    low, high = np.minimum(one, other).astype(np.int64), np.maximum(one, other)
    key = ((low << 31) + high) * 2 + hits.mirrored
    order = np.lexsort((one, -hits.likeness, key))
    starts = np.flatnonzero(np.append(True, np.diff(key[order]) != 0)[: len(order)])
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return order[rank < most]


def _foremost(views: Views, hits: Hits, most: int) -> NDArray[np.int64] | slice:
    """Of too many hits, each picture's best."""
    if len(hits.likeness) <= most:
        return slice(None)
    one, other = views.owner[hits.container], views.owner[hits.content]
    turn = np.minimum(_turn(one, hits.likeness), _turn(other, hits.likeness))
    return np.sort(np.lexsort((-hits.likeness, turn))[:most])


def _turn(owner: NDArray[np.integer], likeness: Floats) -> NDArray[np.int64]:
    """How many better hits the same picture has."""
    order = np.lexsort((-likeness, owner))
    starts = np.flatnonzero(np.append(True, np.diff(owner[order]) != 0)[: len(order)])
    lengths = np.diff(np.append(starts, len(order)))
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return turn

"""Which pictures may be copies of one another, by the low frequencies of what they show.

A picture that was cut shows what a window of the other one shows. 16 windows, 3% or 9% off each
side, are within 3% of every cut up to 12%, and coefficients of up to two waves a side still agree
at 3%. A mirrored picture has the same coefficients with the sign of the odd ones turned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from .cores import spread
from .prints import VIEW_SIDE, Box, Floats, Print
from .textures import texture_pairs, textures
from .views import WINDOWS, Hits, Views, Whole, coefficients, fitted, flip

_COARSE = 5  # coefficients a side
_MOST_LIKE = 4_000_000  # pairs of views that are looked at again, the most alike
_MIDDLE = (0.05, 0.95)  # of a side: about as like what was not cut as what was cut by 12%
_LIKELY = 0.84  # least cosine in the best window
_OF_A_VIEW, _ROWS = 64, 128  # hits that a view may have either way round; views at a time
_SHAPES, _SAME = (8, 1), 0.88  # waves; least cosine where the window fits best
_DETAIL, _SAME_DETAIL = (14, 4), 0.84  # the same of the finer ones
_SURE, _OF_UNSURE = 0.92, 4  # below that cosine only a picture's best partners are looked at
_MOST_PAIRS = 240_000  # over all pictures; a picture's best partners go first
_OF_A_PAIR = 6  # hits: bars and margins are seen differently in two pictures
_SAME_PLACE = 0.03  # share of a side by which two hits of a pair differ at least
_ASPECT = 1.15
_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
_FLAT = 2.0  # least root mean square of a view's coefficients, in levels


@dataclass(frozen=True)
class Candidate:
    """Pictures `one` and `other` (mirrored, if so) that may show the same in these boxes."""

    one: int
    other: int
    mirrored: bool
    box: Box  # of one
    other_box: Box  # of other, as it is before it is mirrored
    likeness: float

    @property
    def ordered(self) -> Candidate:
        """The same with the lower number first."""
        if self.one <= self.other:
            return self
        return replace(self, one=self.other, other=self.one, box=self.other_box, other_box=self.box)


def candidates(
    prints: Sequence[Print], picture: Callable[[int], bytes] | None = None
) -> list[Candidate]:
    """The pairs worth a closer look, the most alike first; `one` is the lower number.

    A pair may be there several times, where it is laid out differently. `picture` gives the first
    of `Print.checks`, if the prints came without.
    """
    views, low = _views_of(prints)
    found = _by_views(views) if len(views.owner) > 1 else []
    pairs = texture_pairs(textures(prints, low), picture or (lambda it: prints[it].checks[0]))
    found += [Candidate(it.one, it.other, it.mirrored, it.box, _WHOLE, it.likeness) for it in pairs]
    return _apart(found)


def _apart(found: Sequence[Candidate]) -> list[Candidate]:
    """Without those of a pair that say nearly the same."""
    seen: dict[tuple[int, int, bool], list[NDArray[np.float64]]] = {}
    chosen = []
    for hit in (it.ordered for it in found):
        known = seen.setdefault((hit.one, hit.other, hit.mirrored), [])
        place = _corners(hit)
        if all(np.abs(place - it).max() > _SAME_PLACE for it in known):
            known.append(place)
            chosen.append(hit)
    return chosen


def _by_views(views: Views) -> list[Candidate]:
    hits = _alike(views)
    hits = hits[_best(views, hits, _OF_A_PAIR)]
    hits = hits[_foremost(views, hits, _MOST_PAIRS)]
    places, likeness = fitted(views, hits, hits.places(), _SHAPES)
    good = np.flatnonzero(likeness >= _SAME)
    hits = replace(hits, likeness=likeness)
    good = good[_best(views, hits[good], _OF_A_PAIR // 2)]
    hits = hits[good]
    places, likeness = fitted(views, hits, places[good], _DETAIL)
    good = np.flatnonzero(likeness >= _SAME_DETAIL)
    order = good[np.argsort(-likeness[good], kind="stable")]
    found = _apart([
        Candidate(
            int(views.owner[hits.container[at]]), int(views.owner[hits.content[at]]),
            bool(hits.mirrored[at]), _inside(views.boxes[hits.container[at]], places[at]),
            tuple(views.boxes[hits.content[at]].tolist()), float(likeness[at]),
        )
        for at in order
    ])  # fmt: skip
    one, other = np.array([(it.one, it.other) for it in found], np.int32).reshape(-1, 2).T
    alike = np.array([it.likeness for it in found], np.float32)
    turn = _turn(np.append(one, other), np.tile(alike, 2)).reshape(2, -1).min(axis=0)
    return [found[at] for at in np.flatnonzero((alike >= _SURE) | (turn < _OF_UNSURE))]


def _corners(hit: Candidate) -> NDArray[np.float64]:
    """Where the corners of other's frame (mirrored, if so) lie in one's, in shares."""
    (x, y, width, height), (left, top, wide, high) = hit.box, hit.other_box
    left = 1 - left - wide if hit.mirrored else left
    start = x - left * width / wide, y - top * height / high
    return np.array([*start, start[0] + width / wide, start[1] + height / high])


def _views_of(prints: Sequence[Print]) -> tuple[Views, Floats]:
    """The views that tell something, and how many levels the low frequencies of each view have."""
    owner = np.array([n for n, it in enumerate(prints) for _ in it.boxes], np.int32)
    boxes = np.array([box for it in prints for box in it.boxes]).reshape(-1, 4)
    sides = np.array([(it.width, it.height) for it in prints]).reshape(-1, 2)[owner]
    aspect = (boxes[:, 2] * sides[:, 0] / (boxes[:, 3] * sides[:, 1])).astype(np.float32)
    empty = np.empty((0, VIEW_SIDE, VIEW_SIDE), np.uint8)
    pixels = np.concatenate([empty, *(it.views for it in prints)])
    whole, level = coefficients(pixels, *WINDOWS[0], _COARSE)
    told = level >= _FLAT  # a plain view is like anything
    owner, boxes, aspect, pixels, whole = (
        owner[told], boxes[told], aspect[told], pixels[told], whole[told]
    )  # fmt: skip
    windows = [coefficients(pixels, x, y, _COARSE)[0] for x, y in WINDOWS]
    middle = coefficients(pixels, _MIDDLE, _MIDDLE, _COARSE)[0]
    return Views(owner, boxes, aspect, pixels, whole, middle, np.stack(windows, axis=1)), level


def _alike(views: Views) -> Hits:
    """Every view with each window that another picture's view is like."""
    signs, like = flip(_COARSE), _least_like(views)
    turned = views.whole * signs

    def look(part: slice) -> list[Hits]:
        found = []
        for mirrored, seen in ((False, views.whole), (True, turned)):
            near = views.middle[part] @ seen.T >= like
            near &= views.owner[part, None] != views.owner
            for row, others in enumerate(near, part.start):
                content = np.flatnonzero(others)
                if len(content):
                    found.append(_best_windows(views, row, content, seen[content], mirrored))
        return found

    return _joined([hits for part in spread(look, len(views.owner), _ROWS) for hits in part])


def _joined(parts: list[Hits]) -> Hits:
    if not parts:
        none = np.empty(0, np.int32)
        return Hits(none, none, none.astype(bool), none.astype(np.uint8), none.astype(np.float32))
    names = (field.name for field in fields(Hits))
    return Hits(*(np.concatenate([getattr(it, name) for it in parts]) for name in names))


def _best_windows(
    views: Views, row: int, content: NDArray[np.int64], seen: Floats, mirrored: bool
) -> Hits:
    likeness = views.windows[row] @ seen.T  # (17, content)
    aspect = views.aspect[row] * _WINDOW_ASPECT[:, None] / views.aspect[content]
    likeness[(aspect > _ASPECT) | (aspect < 1 / _ASPECT)] = 0
    window = likeness.argmax(axis=0)
    likeness = likeness[window, np.arange(len(content))]
    good = np.flatnonzero(likeness >= _LIKELY)
    if len(good) > _OF_A_VIEW:
        good = good[np.argpartition(-likeness[good], _OF_A_VIEW)[:_OF_A_VIEW]]
    return Hits(
        np.full(len(good), row, np.int32), content[good].astype(np.int32),
        np.full(len(good), mirrored), window[good].astype(np.uint8), likeness[good],
    )  # fmt: skip


_WINDOW_ASPECT = np.array([(x[1] - x[0]) / (y[1] - y[0]) for x, y in WINDOWS], np.float32)


def _least_like(views: Views) -> float:
    """The cosine that lets _MOST_LIKE pairs of views pass, or all that may be something."""
    whole = views.whole
    rows = views.middle[:: max(1, len(whole) // 400)]
    cosines = (rows @ whole.T).ravel()
    share = _MOST_LIKE / len(whole) ** 2 / 2
    return float(np.quantile(cosines, 1 - share)) if share < 1 else -1.0


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


def _turn(owner: Whole, likeness: Floats) -> NDArray[np.int64]:
    """How many better hits the same picture has."""
    order = np.lexsort((-likeness, owner))
    starts = np.flatnonzero(np.append(True, np.diff(owner[order]) != 0)[: len(order)])
    lengths = np.diff(np.append(starts, len(order)))
    turn = np.empty(len(order), np.int64)
    turn[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return turn


def _inside(box: NDArray[np.float64], window: NDArray[np.float64]) -> Box:
    left, top, width, height = box.tolist()
    x, y, right, bottom = window.tolist()
    return left + x * width, top + y * height, (right - x) * width, (bottom - y) * height

"""How far two pictures that look alike differ, and where.

A copy differs a little everywhere, another expression or costume strongly in one place. So what is
measured is the place that differs most, against what is usual all over the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .colours import level_of
from .glance import glanced
from .marks import covered, writing
from .overlay import Claim, Overlays
from .prints import Bytes

_BLUR = {1: 5, 2: 7}  # pixels, of pictures so many times as large; JPEG's noise is finer
_SMALL = 100  # pixels; on a shorter side a mouth is hardly wider than what edges may shift by
_EVERYWHERE, _AT_EDGES = 0.9, 0.8  # shares of the picture, and of its edges
_EDGE, _FEW_EDGES = 24, 0.01  # levels within three pixels; share of the picture
_ALLOWED, _PER_NOISE, _MOST_NOISE = 20.0, 2.5, 16.0  # levels; tuned with benchmarks/duplicates.py
_NOISY, _LIKE = 12.0, 0.9  # levels all over, which only a copy of like lightness may have
_FARTHEST = 100.0  # a distance at which no hardness calls two pictures copies
CLEAR = 40.0  # a distance that another look does not make much smaller
_FITS, _WELL = 0.97, 4.0  # correlation, levels
_FAR = 24  # levels at a glance; tuned with benchmarks/duplicates.py
_CLOSE = 6  # levels that the same edges may differ by


@dataclass(frozen=True)
class Difference:
    """What two pictures laid over one another leave over, in levels of 255.

    worst: where they differ most, watermarks left out. noise: what most of the picture and most of
    its edges stay below. likeness: the correlation of their lightness.
    edges: the share of those that are the same in both.
    """

    worst: float
    noise: float
    likeness: float
    least: float = 0.5
    written: int = 0  # over the first one 1, over the second 2
    edges: float = 0.0

    @property
    def distance(self) -> float:
        """50 where a copy made with much loss ends and another drawing begins; 0 for equal."""
        allowed = _ALLOWED + _PER_NOISE * min(self.noise, _MOST_NOISE)
        if self.noise > _NOISY and self.likeness < _LIKE:
            allowed /= 2
        return 50 * max(self.worst, self.least) / allowed

    @property
    def fits(self) -> bool:
        """Whether most of the two lies so well that no other place can be better."""
        return self.likeness > _FITS and self.noise < _WELL


def swapped(found: Difference) -> Difference:
    """The same with the pictures in the other order."""
    return replace(found, written=(0, 2, 1)[found.written])


EQUAL = Difference(0.0, 0.0, 1.0, 0.0)
UNLIKE = Difference(float("inf"), 255.0, 0.0)


def by_distance(found: Difference) -> tuple[bool, float]:
    """The order of what several overlays of two pictures give: of copies the nearest goes first,
    of others what lies best."""
    far = found.distance > _FARTHEST
    return far, -found.edges if far else found.distance


_NEAR = np.ones((3, 3), np.uint8)


def compared(claims: Sequence[Claim]) -> list[Difference]:
    """The differences of pairs of pictures of which the boxes are said to show the same."""
    lying, found = Overlays(claims), [UNLIKE] * len(claims)
    laid = np.flatnonzero(lying.is_laid(np.arange(len(claims))))
    if not len(laid):
        return found
    ones, others = lying.colours(laid)
    going = np.arange(len(laid))
    for way in (1, -1):  # what was clipped in one can be clipped in the other
        seen = glanced(*(ones[going], others[going])[::way])
        which, near = laid[going], seen.levels <= _FAR
        if way == 1:
            lying.refine(which[near])
        near &= lying.is_laid(which)
        for place, at in enumerate(which):
            likeness, edges = float(lying.likeness[at]), float(seen.edges[place])
            new = replace(UNLIKE, likeness=likeness, edges=edges)
            if near[place]:
                one, other = lying.cut(at)[::way]
                new = _measured(seen.recolouring.applied(place, one), other, likeness)
            found[at] = min(found[at], new if way == 1 else swapped(new), key=by_distance)
        going = going[[found[at].distance > CLEAR for at in laid[going]]]
        if not len(going):
            break
    return found


def _written_on(one: Bytes, other: Bytes, lines: Sequence[tuple[int, int, int, int]]) -> int:
    """1 where these lines of writing lie over `one`, 2 where over `other`, 0 without any."""
    strokes = [0.0, 0.0]
    for left, top, wide, high in lines:
        for at, pixels in enumerate((one, other)):
            part = pixels[top : top + high, left : left + wide].astype(np.float32)
            strokes[at] += float(np.abs(cv2.Laplacian(part, cv2.CV_32F)).sum())
    return 0 if not any(strokes) else 1 if strokes[0] > strokes[1] else 2


def _measured(one: Bytes, other: Bytes, likeness: float) -> Difference:
    """The difference of two pictures of one size and in the same colours."""
    times = 2 if min(one.shape[:2]) < _SMALL else 1
    fine, other_fine = one, other
    if times > 1:
        fine, other_fine = (
            cv2.resize(it, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
            for it in (one, other)
        )
    left = residue(fine, other_fine, _BLUR[times])
    lines = writing(one, other) if left.max() > _ALLOWED else []
    if lines:
        left[covered(one.shape, lines).repeat(times, 0).repeat(times, 1)] = 0
    grey = cv2.cvtColor(other_fine, cv2.COLOR_RGB2GRAY)
    edges = cv2.inRange(cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, _NEAR), _EDGE + 1, 255)
    noise = level_of(left, _EVERYWHERE)
    count = cv2.countNonZero(edges)
    if count > _FEW_EDGES * edges.size:
        noise = max(noise, level_of(left, _AT_EDGES, edges))
    same = cv2.countNonZero(cv2.bitwise_and(edges, cv2.inRange(left, 0, _CLOSE)))
    written = _written_on(one, other, lines)
    return Difference(
        float(left.max()), float(noise), likeness, written=written, edges=same / max(1, count)
    )


def residue(one: Bytes, other: Bytes, blur: int = _BLUR[1]) -> Bytes:
    """(height, width) levels in which two pictures differ, blurred by so many pixels.

    A pixel may be anything between its neighbours in the other picture: edges shift by a fraction
    of a pixel in every copy.
    """
    over = [cv2.subtract(a, cv2.dilate(b, _NEAR)) for a, b in ((one, other), (other, one))]
    under = [cv2.subtract(cv2.erode(b, _NEAR), a) for a, b in ((one, other), (other, one))]
    most = cv2.max(cv2.max(*over), cv2.max(*under))
    red, green, blue = cv2.split(most)
    return cv2.blur(cv2.max(cv2.max(red, green), blue), (blur, blur))

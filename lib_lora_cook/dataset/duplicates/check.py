"""How far two pictures that look alike differ, and where.

A copy differs a little everywhere, another expression or costume strongly in one place. So what is
measured is the place that differs most, against what is usual all over the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .align import Overlay, overlaid
from .colours import recoloured
from .prints import Box, check_pixels

_BLUR = 5  # pixels; JPEG's noise is finer, a mouth is larger
_EVERYWHERE = 0.9
_ALLOWED, _PER_NOISE = 24.0, 2.2  # levels; tuned with benchmarks/duplicates.py
_MOST_NOISE = 18.0  # levels; what differs more all over is another picture
_LEAST_SIDE = 8
_STRETCH = 1.06

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Difference:
    """What two pictures laid over one another leave over, in levels of 255.

    worst: where they differ most. noise: what nine tenths of the picture stay below. likeness: the
    correlation of their lightness.
    """

    worst: float
    noise: float
    likeness: float
    least: float = 0.5

    @property
    def distance(self) -> float:
        """50 where a copy made with much loss ends and another drawing begins; 0 for equal."""
        return (
            50
            * max(self.worst, self.least)
            / (_ALLOWED + _PER_NOISE * min(self.noise, _MOST_NOISE))
        )


EQUAL = Difference(0.0, 0.0, 1.0, 0.0)
UNLIKE = Difference(255.0, 255.0, 0.0)


def compared(one: bytes, other: bytes, mirrored: bool, box: Box, other_box: Box) -> Difference:
    """The difference of two pictures of which the boxes are said to show the same."""
    lying = laid_over(check_pixels(one), check_pixels(other), mirrored, box, other_box)
    if lying is None:
        return UNLIKE
    left = residue(lying.one, lying.other)
    levels = np.cumsum(np.bincount(left.ravel(), minlength=256))
    noise = int(np.searchsorted(levels, _EVERYWHERE * levels[-1]))
    return Difference(float(left.max()), float(noise), lying.likeness)


def laid_over(one: Bytes, other: Bytes, mirrored: bool, box: Box, other_box: Box) -> Overlay | None:
    """The shared part of both; None where it is too small, or one of them is squeezed."""
    if mirrored:
        left, top, width, height = other_box
        other, other_box = (
            np.ascontiguousarray(other[:, ::-1]),
            (1 - left - width, top, width, height),
        )
    lying = overlaid(one, other, box, other_box)
    if lying is None or min(lying.one.shape[:2]) < _LEAST_SIDE:
        return None
    stretch = (lying.place.width * one.shape[1] / other.shape[1]) / (
        lying.place.height * one.shape[0] / other.shape[0]
    )
    return lying if 1 / _STRETCH < stretch < _STRETCH else None


def residue(one: Bytes, other: Bytes) -> Bytes:
    """(height, width) levels in which two pictures differ that no recolouring explains.

    A pixel may be anything between its neighbours in the other picture: edges shift by a fraction
    of a pixel in every copy.
    """
    one = recoloured(one, other)
    near = np.ones((3, 3), np.uint8)
    over = [cv2.subtract(a, cv2.dilate(b, near)) for a, b in ((one, other), (other, one))]
    under = [cv2.subtract(cv2.erode(b, near), a) for a, b in ((one, other), (other, one))]
    most = cv2.max(cv2.max(*over), cv2.max(*under))
    red, green, blue = cv2.split(most)
    return cv2.blur(cv2.max(cv2.max(red, green), blue), (_BLUR, _BLUR))

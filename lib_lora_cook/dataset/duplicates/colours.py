"""Pictures in one another's colours: what recolouring, greying and tinting do, undone.

Many pairs at once, pictures as (n, 3, pixels) from 0 to 255.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .prints import Bytes, Floats

_ROUNDS = 3
_INLIERS = 0.8
_CLIPPED, _TOLD = 3.0, 0.1  # levels from black or white; share of pixels that must be within
_TURNED = 3.0  # degrees
_GREY = 6.0  # levels between the channels
_SAME, _ALL = 3.0, 0.98  # levels; share of the pixels
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Recolouring:
    """What was done to n pictures' colours: greyed, then the hue turned, then the channels mixed.

    greyed: (n,). turn: (n,) degrees. mixture: (n, 3, 4), of red, green, blue and 1.
    """

    greyed: NDArray[np.bool_]
    turn: Floats
    mixture: Floats

    def applied(self, at: int, pixels: Bytes) -> Bytes:
        """Pixels (height, width, 3) as picture number `at` was changed."""
        part = slice(at, at + 1)
        one = Recolouring(self.greyed[part], self.turn[part], self.mixture[part])
        if not (one.greyed[0] or one.turn[0]):
            return cv2.transform(pixels, one.mixture[0])
        made = recoloured(channels(pixels), one)
        return np.rint(made).astype(np.uint8).T.reshape(pixels.shape)


def channels(pixels: Bytes) -> Floats:
    """(1, 3, pixels) of (height, width, 3)."""
    return np.ascontiguousarray(pixels.reshape(1, -1, 3).transpose(0, 2, 1), np.float32)


def recoloured(pixels: Floats, how: Recolouring) -> Floats:
    """Pictures (n, 3, pixels) in other colours."""
    if how.greyed.any():
        pixels = np.where(how.greyed[:, None, None], (LUMA @ pixels)[:, None], pixels)
    some = np.flatnonzero(how.turn)
    if len(some):
        pixels = pixels.copy()
        pixels[some] = _turned(pixels[some], how.turn[some])
    made = how.mixture[..., :3] @ pixels
    made += how.mixture[..., 3:]
    return made.clip(0, 255, out=made)


def recolouring(ones: Floats, others: Floats) -> Recolouring:
    """What changes each of the ones (n, 3, pixels) as a whole, so that most of it has the colours
    of the other."""
    colour, wanted = _saturation(ones), _saturation(others)
    greyed = (wanted < _GREY) & (colour >= _GREY)
    ones = np.where(greyed[:, None, None], (LUMA @ ones)[:, None], ones)
    weights, left = _fit(ones, others)
    turn = np.zeros(len(ones), np.float32)
    same = level(np.abs(ones - others).max(axis=1), _ALL) < _SAME
    weights[same] = [1, 0, 0]
    angle = np.where((colour >= _GREY) & ~greyed & ~same, _turn_of_hue(ones, others), 0)
    hued = np.flatnonzero(np.abs(angle) > _TURNED)
    if len(hued):
        other_weights, other_left = _fit(_turned(ones[hued], angle[hued]), others[hued])
        better = other_left < left[hued]
        hued = hued[better]
        turn[hued], weights[hued] = angle[hued], other_weights[better]
    return Recolouring(greyed, turn, _mixture(weights))


def _saturation(pixels: Floats) -> Floats:
    """(n,) how far the channels lie apart in the tenth of the pixels with most colour."""
    return level(pixels.max(axis=1) - pixels.min(axis=1), 0.9)


def _hsv(pixels: Floats) -> Floats:
    """(n, pixels, 3) hue in degrees, saturation and value 0 to 1."""
    flat = np.ascontiguousarray(pixels.transpose(0, 2, 1)) / np.float32(255)
    return cv2.cvtColor(flat, cv2.COLOR_RGB2HSV)


def _turn_of_hue(ones: Floats, others: Floats) -> Floats:
    """(n,) the mean turn of the hue in degrees, weighed by how much colour there is."""
    seen, goal = _hsv(ones), _hsv(others)
    weight = np.minimum(seen[..., 1] * seen[..., 2], goal[..., 1] * goal[..., 2])
    turn = np.radians(goal[..., 0] - seen[..., 0])
    down, across = (weight * np.sin(turn)).sum(axis=1), (weight * np.cos(turn)).sum(axis=1)
    return np.degrees(np.arctan2(down, across))


def _turned(pixels: Floats, degrees: Floats) -> Floats:
    """Pictures (n, 3, pixels) with the hue of each turned."""
    turned = _hsv(pixels)
    turned[..., 0] = (turned[..., 0] + degrees[:, None]) % 360
    return cv2.cvtColor(turned, cv2.COLOR_HSV2RGB).transpose(0, 2, 1) * np.float32(255)


def _fit(seen: Floats, goal: Floats) -> tuple[Floats, Floats]:
    """(n, 3, 3) each channel's weights of itself, of the luma and of 1; (n,) what is left over.

    Pixels that differ most do not count, and those that are clipped say too little.
    """
    terms = np.ones((len(seen), 3, 3, seen.shape[2]), np.float32)  # channels, terms, pixels
    terms[:, :, 0], terms[:, :, 1] = seen, (LUMA @ seen)[:, None]
    told = (goal > _CLIPPED) & (goal < 255 - _CLIPPED)
    told |= told.mean(axis=2, keepdims=True) < _TOLD
    chosen = np.ones((len(seen), 1, seen.shape[2]), bool)
    for _ in range(_ROUNDS):
        used = told & chosen
        used |= (used.mean(axis=2, keepdims=True) < _TOLD / 2) & chosen
        weighed = terms * used[:, :, None]
        stiff = used.sum(axis=2) * np.float32(2.0)
        normal = (weighed @ terms.swapaxes(2, 3)).astype(np.float64)
        asked = (weighed @ goal[..., None])[..., 0].astype(np.float64)
        normal[..., (0, 1), (0, 1)] += stiff[..., None]
        normal[..., 2, 2] += 0.01
        asked[..., 0] += stiff
        weights = np.linalg.solve(normal, asked[..., None])[..., 0].astype(np.float32)
        made = (weights[:, :, None] @ terms)[:, :, 0].clip(0, 255)
        left = np.abs(made - goal).sum(axis=1)
        chosen = (left <= level(left, _INLIERS)[:, None])[:, None]
    return weights, (left * chosen[:, 0]).sum(axis=1) / chosen[:, 0].sum(axis=1)


def level(values: NDArray[Any], share: float) -> Any:
    """(...) what this share of the values (..., many) stays below or at."""
    at = round(share * (values.shape[-1] - 1))
    return np.partition(values, at)[..., at]


def level_of(pixels: Bytes, share: float, where: Bytes | None = None) -> int:
    """The same of all pixels (height, width), or of those where `where` is not 0."""
    counts = cv2.calcHist([pixels], [0], where, [256], [0, 256]).ravel().cumsum()
    return int(np.searchsorted(counts, round(share * (counts[-1] - 1)), side="right"))


def _mixture(weights: Floats) -> Floats:
    """(n, 3, 4): what gives the new channels from red, green, blue and 1."""
    made = weights[:, :, 1:2] * np.append(LUMA, np.float32(0))
    made[:, range(3), range(3)] += weights[:, :, 0]
    made[..., 3] = weights[..., 2]
    return made

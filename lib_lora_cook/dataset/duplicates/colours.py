"""One picture in another's colours: what recolouring, greying and tinting do, undone."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SAMPLE = 40
_ROUNDS = 3
_INLIERS = 0.8
_CLIPPED, _TOLD = 3.0, 0.1  # levels from black or white; share of pixels that must be within
_TURNED = 3.0  # degrees
_GREY = 6.0  # levels between the channels
_SAME = 3.0  # levels
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def recoloured(one: Bytes, other: Bytes) -> Bytes:
    """`one` (height, width, 3) changed as a whole, so that most of it has `other`'s colours."""
    small, wanted = _sampled(one), _sampled(other)
    if level(cv2.absdiff(small, wanted), 0.98) < _SAME:
        return one
    if _saturation(wanted) < _GREY <= _saturation(small):
        one, small, angle = _greyed(one), _greyed(small), 0.0
    elif _saturation(small) < _GREY:
        angle = 0.0
    else:
        angle = _turn_of_hue(small, wanted)
    choices = {0.0, angle} if abs(angle) > _TURNED else {0.0}
    fits = [(*_fit(_turned(small, turn), wanted), turn) for turn in sorted(choices)]
    _, weights, turn = min(fits, key=lambda fit: fit[0])
    return cv2.transform(_turned(one, turn), _matrix(weights))


def _sampled(image: Bytes) -> Bytes:
    height, width = image.shape[:2]
    size = min(_SAMPLE, width), min(_SAMPLE, height)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _greyed(image: Bytes) -> Bytes:
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _saturation(image: Bytes) -> float:
    """How far the channels lie apart, in levels, in the tenth of the picture with most colour."""
    red, green, blue = cv2.split(image)
    spread = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
    return level(spread, 0.9)


def _turn_of_hue(one: Bytes, other: Bytes) -> float:
    """The mean turn of the hue in degrees, weighed by how much colour there is."""
    a, b = _hsv(one), _hsv(other)
    weight = np.minimum(a[..., 1] * a[..., 2], b[..., 1] * b[..., 2])
    turn = np.radians(b[..., 0] - a[..., 0])
    total = (weight * np.exp(1j * turn)).sum()
    return float(np.degrees(np.angle(total)))


def _hsv(image: Bytes) -> Floats:
    """Hue in degrees, saturation and value 0 to 1."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)


def _turned(image: Bytes, degrees: float) -> Bytes:
    if degrees == 0:
        return image
    hsv = _hsv(image)
    hsv[..., 0] = (hsv[..., 0] + degrees) % 360
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).clip(0, 255).astype(np.uint8)


def _fit(small: Bytes, wanted: Bytes) -> tuple[float, Floats]:
    """What is left over, and each channel's weights of itself, of the luma and of 1.

    Pixels that differ most do not count, and those that are clipped say too little.
    """
    source, goal = (it.reshape(-1, 3).T.astype(np.float32) for it in (small, wanted))
    terms = np.ones((3, *source.shape), np.float32)  # channels, terms, pixels
    terms[:, 0], terms[:, 1] = source, _LUMA @ source
    told = (goal > _CLIPPED) & (goal < 255 - _CLIPPED)
    told[told.mean(axis=1) < _TOLD] = True
    chosen = np.ones(source.shape[1], bool)
    weights, left = np.zeros((3, 3), np.float32), goal[0]
    for _ in range(_ROUNDS):
        used = told & chosen
        used[used.mean(axis=1) < _TOLD / 2] = chosen
        weighed = terms * used[:, None]
        stiff = used.sum(axis=1) * 2.0
        normal = (weighed @ terms.transpose(0, 2, 1)).astype(np.float64)
        asked = weighed @ goal[..., None]
        normal += np.stack([stiff, stiff, np.full(3, 0.01)], axis=1)[:, None] * np.eye(3)
        asked[:, 0, 0] += stiff
        weights = np.linalg.solve(normal, asked)[..., 0].astype(np.float32)
        made = (weights[:, None] @ terms)[:, 0].clip(0, 255)
        left = np.abs(made - goal).sum(axis=0)
        chosen = left <= level(left, _INLIERS)
    return float(left[chosen].mean()), weights


def level(values: NDArray[Any], share: float) -> float:
    """What this share of the values stays below or at."""
    at = round(share * (values.size - 1))
    return float(np.partition(values.ravel(), at)[at])


def _matrix(weights: Floats) -> Floats:
    """(3, 4): what gives the new channels from red, green, blue and 1."""
    luma = np.outer(weights[:, 1], _LUMA)
    return np.column_stack([np.diag(weights[:, 0]) + luma, weights[:, 2]])

"""Which copies were only made larger: there is nothing in them that a smaller one does not show.

What reducing by the ratio of two copies' sides takes from a picture is about as much at any size;
from one that was enlarged by that ratio it takes little.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...errors import UserError
from ..images import open_image
from ..pixels import on_background

_LOST = 0.8
"""Of what the smaller one loses times the ratio of sides, for a picture that was not enlarged. 38
photographs and drawings made 1.15 to 2.5 times as large in Pillow's three ways lost .40 to .65
times (medians), as drawn .95 to 1.8 times, at least .85 but for three."""


Asked = tuple[Path, Path, float]
"""The larger picture, the smaller one, and the ratio of their sides."""


def are_enlarged(asked: Sequence[Asked]) -> list[bool | None]:
    """`is_enlarged` of each; None where one of them went away in the meantime."""
    found: list[bool | None] = []
    for large, small, ratio in asked:
        try:
            found.append(is_enlarged(large, small, ratio))
        except UserError:
            found.append(None)
    return found


def is_enlarged(large: Path, small: Path, ratio: float) -> bool:
    """Whether `large` is no more than a copy with longer sides, `ratio` times those of `small`.

    UserError for what is no whole picture.
    """
    return _lost(large, ratio) < _LOST / ratio * _lost(small, ratio)


def _lost(path: Path, ratio: float) -> float:
    """What reducing by that ratio takes from a picture, as a share of its contrast."""
    grey = np.asarray(on_background(open_image(path)).convert("L"))
    height, width = grey.shape
    size = max(1, round(width / ratio)), max(1, round(height / ratio))
    reduced = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    back = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC)
    lost = grey.astype(np.float32) - back
    return float(np.sqrt(np.square(lost).mean()) / (grey.std() + 1e-3))

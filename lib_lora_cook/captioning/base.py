"""What every tagger gives, tags with their probabilities, and how its model wants pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..dataset.pixels import on_background
from ..dataset.tags import spaces_for_underscores

THRESHOLD = 0.35
CHARACTER_THRESHOLD = 0.85
_LEAST_CHARACTER_MCUT = 0.15  # where no character is there, the largest gap is among noise


@dataclass(frozen=True)
class Tags:
    """What a tagger saw in one picture: danbooru's spelling -> probability, by category."""

    general: dict[str, float] = field(default_factory=dict)
    character: dict[str, float] = field(default_factory=dict)
    rating: dict[str, float] = field(default_factory=dict)

    def names(
        self,
        threshold: float = THRESHOLD,
        character_threshold: float = CHARACTER_THRESHOLD,
        mcut: bool = False,
    ) -> list[str]:
        """General and character tags above their thresholds as captions spell them, surest first.

        mcut: the thresholds are the middles of the largest gaps instead.
        """
        if mcut:
            threshold = mcut_threshold(self.general)
            character_threshold = max(_LEAST_CHARACTER_MCUT, mcut_threshold(self.character))
        found = {name: p for name, p in self.general.items() if p > threshold}
        found |= {name: p for name, p in self.character.items() if p > character_threshold}
        return [
            spaces_for_underscores(name) for name in sorted(found, key=lambda n: (-found[n], n))
        ]


def mcut_threshold(probabilities: Mapping[str, float]) -> float:
    """The middle of the largest gap in the sorted probabilities (Largeron et al. 2012)."""
    falling = sorted(probabilities.values(), reverse=True)
    pairs = list(pairwise(falling))
    if not pairs:
        return CHARACTER_THRESHOLD
    above, below = max(pairs, key=lambda pair: pair[0] - pair[1])
    return (above + below) / 2


@dataclass(frozen=True)
class TaggerSpec:
    """How a model wants its pictures and what its outputs are; the default is the WD family."""

    layout: Literal["NHWC", "NCHW"] = "NHWC"
    channels: Literal["BGR", "RGB"] = "BGR"
    scale: float = 1.0  # of the values 0..255, before mean and std
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    padding: str | None = "white"  # to a square of this colour; None: stretched
    resize: Literal["bicubic", "area", "lanczos"] = "bicubic"
    activation: Literal["none", "sigmoid"] = "none"  # what is still to be done to the outputs
    model_file: str = "model.onnx"
    label_file: str = "selected_tags.csv"


_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "area": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}


def prepare(image: Image.Image, spec: TaggerSpec, size: tuple[int, int]) -> NDArray[np.float32]:
    """One picture as the model wants it: float32, size (width, height), without the batch axis.

    For the WD family as in its author's own demo: on white, padded to a centred white square,
    Pillow's bicubic, BGR 0..255, HWC.
    """
    image = on_background(image)
    if spec.padding is not None:
        image = _padded(image, spec.padding)
    if image.size != size:
        image = image.resize(size, _FILTERS[spec.resize])
    values = np.asarray(image, dtype=np.float32) * np.float32(spec.scale)
    values = values[:, :, ::-1] if spec.channels == "BGR" else values
    mean, std = np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)
    values = (values - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1) if spec.layout == "NCHW" else values)


def _padded(image: Image.Image, colour: str) -> Image.Image:
    side = max(image.size)
    square = Image.new("RGB", (side, side), colour)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square

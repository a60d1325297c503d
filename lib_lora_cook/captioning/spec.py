"""How a model wants its pictures, and what its outputs are: one small value for each family."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from ..dataset.pixels import on_background
from ..errors import UserError
from .base import CHARACTER_THRESHOLD, THRESHOLD

OWN_SPEC = "tagger.json"
"""In a tagger's folder: fields of TaggerSpec that differ from those of its family."""


@dataclass(frozen=True)
class TaggerSpec:
    """How a model wants its pictures and what its outputs are; the default is the WD family."""

    layout: Literal["NHWC", "NCHW"] = "NHWC"
    channels: Literal["BGR", "RGB"] = "BGR"
    scale: float = 1.0  # of the values 0..255, before mean and std
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    padding: str | None = "white"  # to a square of this colour; None: stretched
    shrunk_first: bool = False  # padded after it was resized
    resize: Literal["bicubic", "bilinear", "area", "lanczos"] = "bicubic"
    activation: Literal["none", "sigmoid"] = "none"  # what is still to be done to the outputs
    output: str | int = 0  # the name or the place of the output that is meant
    model_file: str = "model.onnx"
    label_file: str = "selected_tags.csv"
    thresholds: Mapping[str, float] = field(
        default_factory=lambda: {"general": THRESHOLD, "character": CHARACTER_THRESHOLD}
    )


WD = TaggerSpec()
_HALF = (0.5, 0.5, 0.5)
# A timm export of the same models.
WD_TIMM = TaggerSpec("NCHW", "RGB", 1 / 255, _HALF, _HALF)
CL = TaggerSpec(
    "NCHW", "BGR", 1 / 255, _HALF, _HALF, activation="sigmoid", label_file="tag_mapping.json",
    thresholds={"general": 0.55, "character": 0.55},
)  # fmt: skip
PIXAI = TaggerSpec(
    "NCHW", "RGB", 1 / 255, _HALF, _HALF, padding=None, resize="bilinear", output="prediction",
    thresholds={"general": 0.30, "character": 0.85},
)  # fmt: skip
CAMIE_1 = TaggerSpec(
    "NCHW", "RGB", 1 / 255, padding="black", shrunk_first=True, resize="lanczos",
    activation="sigmoid", output=1, model_file="model_initial.onnx",
    label_file="model_initial_metadata.json", thresholds={"general": 0.325, "character": 0.325},
)  # fmt: skip
CAMIE_2 = TaggerSpec(
    "NCHW", "RGB", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), padding="#7c7468",
    shrunk_first=True, resize="lanczos", activation="sigmoid", output=1,
    model_file="camie-tagger-v2.onnx", label_file="camie-tagger-v2-metadata.json",
    thresholds={"general": 0.5, "character": 0.5},
)  # fmt: skip
FAMILIES = (CAMIE_2, CAMIE_1, CL, WD)
"""Told apart by their lists of tags."""


def spec_of(folder: Path) -> TaggerSpec:
    """The spec for a folder: by its list of tags and its name, and by what its tagger.json says.

    Raises UserError where that file is broken.
    """
    found = next((it for it in FAMILIES if (folder / it.label_file).is_file()), WD)
    if found is WD and "pixai" in folder.name.lower():
        found = PIXAI
    own = folder / OWN_SPEC
    return _with_own(found, own) if own.is_file() else found


def taggers_in(folder: Path) -> dict[str, Path]:
    """The taggers below a folder by name: every folder with a model of some family's name."""
    files = {it.model_file for it in FAMILIES}
    found = {path.parent for file in files for path in folder.glob(f"*/{file}")}
    return {path.name: path for path in sorted(found)}


def _with_own(spec: TaggerSpec, file: Path) -> TaggerSpec:
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for name in ("mean", "std"):
            if name in values:
                values[name] = tuple(map(float, values[name]))
        return TaggerSpec(**{**_values(spec), **values})
    except (OSError, ValueError, TypeError) as error:
        known = ", ".join(it.name for it in fields(TaggerSpec))
        raise UserError(f"Cannot read this ({error})", file, f"It may hold: {known}.") from error


def _values(spec: TaggerSpec) -> dict[str, Any]:
    return {it.name: getattr(spec, it.name) for it in fields(spec)}


LARGEST = 8192
"""A longer side is shrunk to this before the square is made."""
_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}


def prepare(image: Image.Image, spec: TaggerSpec, size: tuple[int, int]) -> NDArray[np.float32]:
    """One picture as the model wants it: float32, size (width, height), without the batch axis.

    For the WD family as in its author's own demo: on white, padded to a centred white square,
    Pillow's bicubic, BGR 0..255, HWC.
    """
    image = on_background(image)
    if max(image.size) > LARGEST:  # its square would fill the memory
        image = image.resize(_fitted(image.size, (LARGEST, LARGEST)), Image.Resampling.BOX)
    if spec.shrunk_first:
        image = image.resize(_fitted(image.size, size), _FILTERS[spec.resize])
    pixels = np.array(image) if spec.padding is None else _padded(image, spec.padding)
    pixels = _resized(pixels, size, spec.resize)
    values = np.empty(pixels.shape, np.float32)
    for place, channel in enumerate("RGB".index(name) for name in spec.channels):
        values[..., place] = pixels[..., channel]  # far quicker than reversing the axis
    if spec.layout == "NCHW":
        values = np.ascontiguousarray(values.transpose(2, 0, 1))
    return _scaled(values, spec)


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int], how: str) -> NDArray[np.uint8]:
    """(height, width, RGB); by torch, where it is there: Pillow's sums in a fifth of the time.

    The two round differently, by 1 at most.
    """
    if pixels.shape[:2] == size[::-1]:
        return pixels
    if how in ("bicubic", "bilinear"):
        with suppress(ImportError, RuntimeError):  # a torch before 2.1 resizes no bytes
            from torch import from_numpy
            from torch.nn.functional import interpolate

            whole = from_numpy(pixels[None]).permute(0, 3, 1, 2)
            small = interpolate(whole, size[::-1], mode=how, antialias=True)
            return np.asarray(small[0].permute(1, 2, 0))
    return np.asarray(Image.fromarray(pixels).resize(size, _FILTERS[how]))


def _scaled(values: NDArray[np.float32], spec: TaggerSpec) -> NDArray[np.float32]:
    if spec.scale != 1:
        values *= np.float32(spec.scale)
    if any(spec.mean) or set(spec.std) != {1.0}:
        order = -1 if spec.channels == "BGR" else 1
        shape = (3, 1, 1) if spec.layout == "NCHW" else (3,)
        values -= np.asarray(spec.mean[::order], np.float32).reshape(shape)
        values /= np.asarray(spec.std[::order], np.float32).reshape(shape)
    return values


def _fitted(size: tuple[int, int], into: tuple[int, int]) -> tuple[int, int]:
    """The sides at which a picture just fits into a square, rounded down as Camie's are."""
    side = max(size)
    return max(1, size[0] * into[0] // side), max(1, size[1] * into[1] // side)


def _padded(image: Image.Image, colour: str) -> NDArray[np.uint8]:
    """The picture in the middle of a square, (side, side, RGB); quicker than in Pillow's memory."""
    side, red_green_blue = max(image.size), ImageColor.getrgb(colour)
    grey = len(set(red_green_blue)) == 1
    square = np.full((side, side, 3), red_green_blue[0] if grey else red_green_blue, np.uint8)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    square[top : top + image.height, left : left + image.width] = np.asarray(image)
    return square

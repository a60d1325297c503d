"""How sharp a picture is and how hard it was compressed, measured; the same for any size."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError
from ..jobs import Job, null_job
from .images import open_image, stamp_of
from .known_files import KnownFiles
from .pixels import on_background
from .rendering import THREADS

_FILE, _VERSION = "qualities.json", 1  # where they are remembered; another version starts anew
_SIDE = 512
"""What a picture is trained at: blur that is gone at this size does no harm."""
_BLOCK = 32
SHARP = 50.0
"""Least sharpness. Of 21 photographs and drawings at this size, sharp ones have 260 to 16,000, the
same after a Gaussian blur of 2 pixels 3 to 230, of 3 pixels 1 to 80 (medians 2,140, 24 and 8)."""
BLOCKY = 1.6
"""Most blockiness. The same pictures: 0.9 to 1.1 where never compressed, medians of 1.07, 1.29 and
1.49 after JPEG at quality 75, 50 and 30, and 1.94 at 15; smooth ones show it soonest."""
_LEAST_INSIDE = 0.005
"""Share of steps inside of JPEG's blocks; pixel art that was enlarged has none in its squares."""
JPEG_QUALITY = 60
"""Least quality of a JPEG: below, colours run over edges, which training learns as style."""


@dataclass(frozen=True)
class Quality:
    """What was measured; jpeg is 1 to 100 on libjpeg's scale, 0 for what is no JPEG.

    clear: some pixel can be seen through.
    """

    sharpness: float
    blockiness: float
    jpeg: int = 0
    clear: bool = False

    @property
    def blurred(self) -> bool:
        """Whether even the sharpest tenth of the picture is soft at the size it is trained at."""
        return self.sharpness < SHARP

    @property
    def compressed(self) -> bool:
        """Whether compression has left its marks: by its own tables, or in the pixels."""
        return self.jpeg < JPEG_QUALITY if self.jpeg else self.blockiness > BLOCKY


def measure_qualities(
    paths: Iterable[Path], job: Job = null_job, folder: Path | None = None
) -> dict[Path, Quality]:
    """The quality of each picture that can be read; in a folder, what is known is not measured."""
    paths = list(paths)
    names = {path: os.path.relpath(path, folder) if folder else path.name for path in paths}
    stamps = {path: stamp_of(path) for path in paths}
    found = {}
    with KnownFiles(folder, _FILE, _VERSION, set(names.values())) as known:

        def quality_of(path: Path) -> Quality | None:
            facts = known.of(names[path], *(stamps[path] or (0, 0)))
            return Quality(*facts) if facts else _quality_or_none(path)

        with ThreadPoolExecutor(THREADS) as pool:
            for done, (path, quality) in enumerate(
                zip(paths, pool.map(quality_of, paths), strict=True)
            ):
                if quality is not None:
                    found[path] = quality
                    if known.of(names[path], *(stamps[path] or (0, 0))) is None:
                        known.add(names[path], stamps[path], list(astuple(quality)))
                job.report(done + 1, len(paths), path.name)
    return found


def _quality_or_none(path: Path) -> Quality | None:
    try:
        return read_quality(path)
    except UserError:  # named among the unreadable
        return None


def read_quality(path: Path) -> Quality:
    """The quality of a picture on disk; UserError if it cannot be read."""
    image = open_image(path)
    clear = image.mode == "RGBA" and bool(np.asarray(image.getchannel("A")).min() < 255)
    grey = np.asarray(on_background(image).convert("L"))
    return Quality(sharpness(grey), blockiness(grey), jpeg_quality(path), clear)


def sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian in the sharpest tenth of the blocks of (height, width) uint8.

    Only that tenth: a soft background is no fault. Pictures are first reduced to _SIDE.
    """
    import cv2

    times = _SIDE / min(grey.shape)
    if times < 1:
        grey = cv2.resize(grey, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    height, width = (max(_BLOCK, side // _BLOCK * _BLOCK) for side in edges.shape)
    if edges.shape[0] < _BLOCK or edges.shape[1] < _BLOCK:
        return float(edges.var())
    blocks = edges[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    variances = np.sort(blocks.var(axis=(1, 3)).ravel())
    return float(variances[-max(1, variances.size // 10) :].mean())


def blockiness(grey: np.ndarray) -> float:
    """How much steeper the steps between 8-pixel blocks are than between other pixels; 1: no more.

    The grid may begin anywhere, as after a crop; the lesser of both directions counts, since one
    alone may be a pattern in the picture. Under 64 pixels nothing can be said: 1.
    """
    if min(grey.shape) < 64:
        return 1.0
    return min(_steps(grey), _steps(grey.T))


def _steps(grey: np.ndarray) -> float:
    steps = np.abs(np.diff(grey.astype(np.int16), axis=1))
    columns = steps.mean(axis=0)  # of their median one long edge in the picture is no part
    by_place = np.array([np.median(columns[place::8]) for place in range(8)])
    grid, usual = int(by_place.argmax()), float(np.median(by_place))
    several = np.delete(by_place, grid).max() > (by_place[grid] + usual) / 2
    inside = np.delete(steps, np.s_[grid::8], axis=1)
    if several or np.count_nonzero(inside) < _LEAST_INSIDE * inside.size:
        return 1.0
    return float(by_place[grid] / (usual + 0.1))


def jpeg_quality(path: Path) -> int:
    """The quality that a JPEG was saved at, from its luminance table; 0 for what is no JPEG.

    libjpeg scales the tables of the standard (ITU T.81, K.1) by 5000/q percent below 50 and by
    200-2q from there on; no step is larger than 255, so those say nothing.
    """
    try:
        with Image.open(path) as image:
            tables = getattr(image, "quantization", None)
    except Exception:  # read_quality has opened it: it has changed since
        return 0
    if not tables:
        return 0
    pairs = zip(tables[min(tables)], _standard_table(), strict=False)
    percent = 100.0 * float(np.median([step / due for step, due in pairs if step < 255] or [50.0]))
    quality = (200 - percent) / 2 if percent <= 100 else 5000 / percent
    return max(1, min(100, round(quality)))


@cache
def _standard_table() -> list[int]:
    """The standard's luminance table, which is what quality 50 writes."""
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "JPEG", quality=50)
    with Image.open(out) as image:
        return list(image.quantization[0])  # type: ignore[attr-defined]

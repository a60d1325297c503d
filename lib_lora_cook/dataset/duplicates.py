"""Copies of a picture: fingerprints, who is a copy of whom, and which one to keep.

Candidates are pictures with near perceptual hashes; the check is on the pictures side by side,
where another expression or costume differs strongly in one place and a copy a little everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from ..errors import UserError
from ..jobs import Job, null_job
from .changes import Change
from .images import Failure, ImageFile, open_image
from .pixels import on_background

_HASH_SIDE = 16  # 256 bits
_RADIUS = 48  # of 256 bits; recompressing and rescaling move 6 in drawings, the check decides
_CHECK_SIDE = 128
_BLUR = 2.0  # at the check's side: levels JPEG's blocks and the edges of a rescaled line
_ASPECT = 0.05
_LOSSLESS = frozenset({"PNG", "BMP", "TIFF"})

Bits = NDArray[np.float32]
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Group:
    """Pictures that are copies of the first one, which is the one to keep.

    exact: the same pixels, whatever the file. near: rescaled, recompressed, flattened, mirrored.
    """

    kind: Literal["exact", "near"]
    files: tuple[ImageFile, ...]


@dataclass(frozen=True)
class Fingerprint:
    """A picture's pixels as a digest, and 256 bits (as -1 and 1) of it and of its mirror image."""

    digest: str
    bits: Bits
    mirrored: Bits


def fingerprint(image: Image.Image) -> Fingerprint:
    """The fingerprint of a picture, transparency composited on white."""
    rgba = image.convert("RGBA")
    digest = hashlib.sha256(str(image.size).encode() + rgba.tobytes()).hexdigest()
    seen = on_background(rgba)
    return Fingerprint(digest, _bits(seen), _bits(ImageOps.mirror(seen)))


def _bits(image: Image.Image) -> Bits:
    flat = imagehash.phash(image, _HASH_SIDE).hash.ravel()
    return np.where(flat, 1, -1).astype(np.float32)


def find_duplicates(
    images: Iterable[ImageFile],
    hardness: int = 50,
    job: Job = null_job,
    failed: list[Failure] | None = None,
) -> list[Group]:
    """Groups of copies, each a star round the picture to keep; the same for any order of images.

    hardness 1 (more is called a copy) to 100 (only what is all but equal). What cannot be read is
    appended to `failed`; without such a list it raises UserError.
    """
    if not 1 <= hardness <= 100:
        raise UserError("Hardness goes from 1 to 100", hardness)
    ranked = sorted(images, key=_rank)
    prints: dict[Path, Fingerprint] = {}
    for done, image in enumerate(ranked, 1):
        job.check()
        try:
            prints[image.path] = fingerprint(open_image(image.path))
        except UserError as error:
            if failed is None:
                raise
            failed.append((image.path, error.what))
        job.report(done, len(ranked), "looking for copies")
    return _groups([image for image in ranked if image.path in prints], prints, 110 - hardness)


def settled(groups: Iterable[Group]) -> list[Group]:
    """The groups so that each keeps its first picture when the others leave the dataset.

    Where the best of an exact group is itself a near copy, all of it joins that near group.
    """
    groups = list(groups)
    exact = {group.files[0].path: group for group in groups if group.kind == "exact"}
    result, joined = [], set()
    for group in groups:
        if group.kind == "near":
            files = [group.files[0]]
            for image in group.files[1:]:
                same = exact.get(image.path)
                files += same.files if same else (image,)
                joined.add(image.path)
            group = Group("near", tuple(files))
        result.append(group)
    return [it for it in result if not (it.kind == "exact" and it.files[0].path in joined)]


def plan_duplicates(groups: Iterable[Group]) -> list[Change]:
    """All but the first picture of each group leave the dataset."""
    changes: dict[Path, Change] = {}
    for group in groups:
        keeper = group.files[0].path.name
        for image in group.files[1:]:
            why = f"{group.kind} copy of {keeper}"
            changes.setdefault(image.path, Change("trash", image.path, why, before=image.stamp))
    return list(changes.values())


def _rank(image: ImageFile) -> tuple[int, bool, bool, str]:
    """Sorts the best picture first."""
    lossy = image.format not in _LOSSLESS
    return (-image.width * image.height, lossy, not image.caption, str(image.path))


def _groups(ranked: list[ImageFile], prints: dict[Path, Fingerprint], limit: float) -> list[Group]:
    same: dict[str, list[ImageFile]] = {}
    for image in ranked:
        same.setdefault(prints[image.path].digest, []).append(image)
    groups = [Group("exact", tuple(files)) for files in same.values() if len(files) > 1]
    single = [files[0] for files in same.values()]
    return groups + _stars(single, prints, _checker(limit))


def _stars(
    ranked: list[ImageFile],
    prints: dict[Path, Fingerprint],
    is_copy: Callable[[ImageFile, ImageFile, bool], bool],
) -> list[Group]:
    """Each picture in turn gathers its near copies among those that no better one has."""
    if not ranked:
        return []
    bits = np.stack([prints[image.path].bits for image in ranked])
    mirrored = np.stack([prints[image.path].mirrored for image in ranked])
    free = np.ones(len(ranked), dtype=bool)
    least = bits.shape[1] - 2 * _RADIUS  # the dot product of hashes _RADIUS bits apart
    groups = []
    for index, keeper in enumerate(ranked):
        if not free[index]:
            continue
        free[index] = False
        straight = bits @ bits[index] >= least
        turned = mirrored @ bits[index] >= least
        members = [
            int(other)
            for other in np.flatnonzero(free & (straight | turned))
            if (straight[other] and is_copy(keeper, ranked[other], False))
            or (turned[other] and is_copy(keeper, ranked[other], True))
        ]
        free[members] = False
        if members:
            groups.append(Group("near", (keeper, *(ranked[member] for member in members))))
    return groups


def _checker(limit: float) -> Callable[[ImageFile, ImageFile, bool], bool]:
    """Whether two pictures, the second perhaps mirrored, differ by less than `limit` everywhere."""

    @lru_cache(maxsize=64)
    def seen(path: Path) -> Image.Image:
        image = on_background(open_image(path))
        if max(image.size) > 4 * _CHECK_SIDE:
            image.thumbnail((4 * _CHECK_SIDE, 4 * _CHECK_SIDE), Image.Resampling.BOX)
        return image

    def is_copy(one: ImageFile, other: ImageFile, mirror: bool) -> bool:
        stretch = (one.width * other.height) / (one.height * other.width)
        if abs(stretch - 1) > _ASPECT:
            return False
        first, second = seen(one.path), seen(other.path)
        return difference(first, ImageOps.mirror(second) if mirror else second) < limit

    return is_copy


def difference(one: Image.Image, other: Image.Image) -> float:
    """The largest difference, 0..255, of two RGB pictures in any place and colour, at one scale."""
    side = min(_CHECK_SIDE, *one.size, *other.size)
    return float(np.abs(_levelled(one, side) - _levelled(other, side)).max())


def _levelled(image: Image.Image, side: int) -> Pixels:
    shrinks = min(image.size) > side
    small = image.resize(
        (side, side), Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    )
    blurred = small.filter(ImageFilter.BoxBlur(_BLUR * side / _CHECK_SIDE))
    return np.asarray(blurred, dtype=np.float32)

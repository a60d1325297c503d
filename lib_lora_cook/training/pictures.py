"""The pictures of a run: scanned, captioned and fitted into buckets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..config import BucketConfig, SubsetConfig, TrainingConfig
from ..dataset.captions import split_tags
from ..dataset.images import Failure, ImageFile, open_image, repeats_of_folder, scan_subset
from ..errors import UserError
from ..models.trainable import PictureSize
from .buckets import BucketFit, bucket_for, bucket_resolutions
from .captions import caption_of_file_text


@dataclass(frozen=True)
class Picture:
    """One picture of a run, with its subset, its caption and the bucket it is trained in."""

    image: ImageFile
    subset: SubsetConfig
    caption: str
    fit: BucketFit

    def size(self, *, mirrored: bool = False) -> PictureSize:
        """SDXL's size conditioning: kohya's crop, in pixels of the picture."""
        left, top = self.fit.crop_left_top(mirrored)
        bucket_width, bucket_height = self.fit.bucket
        return PictureSize(
            (self.image.height, self.image.width), (top, left), (bucket_height, bucket_width)
        )


def read_pictures(config: TrainingConfig) -> list[Picture]:
    """Every picture of every subset; UserError where one cannot be read, fitted or captioned."""
    resolutions = bucket_resolutions(config.bucket)
    pictures: list[Picture] = []
    for subset in map(with_repeats, config.subsets):
        pictures.extend(_read_subset(subset, config.bucket, resolutions))
    return pictures


def with_repeats(subset: SubsetConfig) -> SubsetConfig:
    """The subset with its repeats and trigger filled in from a folder named `3_name`."""
    name = Path(subset.image_dir).name
    repeats = subset.num_repeats or repeats_of_folder(name) or 1
    named = name.partition("_")[2] if repeats_of_folder(name) else ""
    return replace(subset, num_repeats=repeats, class_tokens=subset.class_tokens or named)


def _read_subset(
    subset: SubsetConfig, bucket: BucketConfig, resolutions: Sequence[tuple[int, int]]
) -> list[Picture]:
    failed: list[Failure] = []
    images = scan_subset(Path(subset.image_dir), failed, subset.caption_extension)
    if failed:
        listed = ", ".join(f"{path.name} ({why})" for path, why in failed)
        raise UserError(
            f"Pictures that cannot be read: {listed}", subset.image_dir, "Replace or remove them."
        )
    pictures = []
    for image in images:
        caption = caption_of_file_text(image.caption, subset).strip() or subset.class_tokens
        pictures.append(Picture(image, subset, caption, _fit(image, bucket, resolutions)))
    bare = [picture.image.path.name for picture in pictures if not picture.caption]
    if bare:
        raise UserError(
            f"{len(bare)} of {len(pictures)} pictures have no caption, such as {bare[0]}",
            subset.image_dir, "Tag them, or set class_tokens to the trigger that they all get.",
        )  # fmt: skip
    return pictures


def _fit(
    image: ImageFile, bucket: BucketConfig, resolutions: Sequence[tuple[int, int]]
) -> BucketFit:
    """The picture's bucket; the UserError names the picture."""
    try:
        return bucket_for((image.width, image.height), bucket, list(resolutions))
    except UserError as error:
        raise UserError(f"{error.what} ({error.where})", image.path, error.to_do) from None


def tag_frequency(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    """{folder: {tag: count}}, lower case and without repeats, as `ss_tag_frequency` counts."""
    counts: dict[str, Counter[str]] = {}
    for picture in pictures:
        folder = Path(picture.subset.image_dir).name
        tags = [tag.lower() for tag in split_tags(picture.caption)]
        counts.setdefault(folder, Counter()).update(tags)
    return {folder: dict(counter) for folder, counter in counts.items()}


def read_pixels(picture: Picture, *, mirrored: bool = False) -> Tensor:
    """The picture as it is trained: [3, H, W] in -1..1, transparency on white.

    Resized as kohya does: by area when both sides shrink, else by Lanczos.
    """
    image = open_image(picture.image.path)
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    width, height = picture.fit.resized
    if width <= image.width and height <= image.height:
        image = Image.fromarray(shrunk(np.asarray(image), (width, height)))
    else:
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    image = image.crop(picture.fit.crop_box)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    values = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)
    return values.float() / 127.5 - 1.0


def shrunk(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] at a smaller (width, height), each pixel the average of the area that it covers.

    This is OpenCV's INTER_AREA. Pillow's BOX takes whole pixels only, and so differs by several
    levels wherever the scale is no whole number.
    """
    rows, columns = _coverage(pixels.shape[0], size[1]), _coverage(pixels.shape[1], size[0])
    high = np.tensordot(rows, pixels.astype(np.float32), 1)
    wide = np.tensordot(columns, high, (1, 1)).swapaxes(0, 1)
    return wide.round().clip(0, 255).astype(np.uint8)


def _coverage(length: int, count: int) -> np.ndarray:
    """[count, length]: how much each of `length` pixels gives to each of `count`; rows add to 1."""
    edges, pixel = np.linspace(0, length, count + 1)[:, None], np.arange(length)
    overlap = np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel)
    return (overlap.clip(0) * count / length).astype(np.float32)

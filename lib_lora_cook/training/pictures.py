"""The pictures of a run: scanned, captioned and fitted into buckets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import BucketConfig, SubsetConfig, TrainingConfig
from ..dataset.captions import split_tags
from ..dataset.images import (
    Failure,
    ImageFile,
    is_picture_name,
    read_image_file,
    repeats_of_folder,
    scan_subset,
)
from ..errors import UserError
from .buckets import BucketFit, Size, bucket_for, bucket_resolutions
from .captions import caption_of_file_text
from .plan import to_leave_out

if TYPE_CHECKING:
    from ..models.trainable import PictureSize


@dataclass(frozen=True)
class Picture:
    """One picture of a run, with its subset, its caption and the bucket it is trained in."""

    image: ImageFile
    subset: SubsetConfig
    caption: str
    fit: BucketFit
    mask: Path | None = None
    """A picture of the same size whose red says how much each pixel counts in the loss."""

    @property
    def is_masked(self) -> bool:
        """Whether some of its pixels may count less than others."""
        return self.mask is not None or self.subset.alpha_mask

    def size(self, *, mirrored: bool = False, corner: Size | None = None) -> PictureSize:
        """SDXL's size conditioning: kohya's crop, in pixels of the picture.

        corner: where a random crop begins, (left, top) in the resized picture as it is trained,
        which is what SDXL itself was told. sd-scripts tells it kohya's crop there too, whatever was
        cut; its authors note that they have no answer.
        """
        left, top = corner or self.fit.crop_left_top(mirrored)
        from ..models.trainable import PictureSize  # a page that counts pictures needs no torch

        bucket_width, bucket_height = self.fit.bucket
        return PictureSize(
            (self.image.height, self.image.width), (top, left), (bucket_height, bucket_width)
        )


def read_pictures(config: TrainingConfig) -> list[Picture]:
    """Every picture of every subset; UserError that tells of each subset with one that cannot be
    read, fitted, captioned or masked."""
    resolutions = bucket_resolutions(config.bucket)
    pictures: list[Picture] = []
    errors: list[UserError] = []
    for subset in map(with_repeats, config.subsets):
        try:
            found = _read_subset(subset, config.bucket, resolutions)
            pictures.extend(_with_masks(found) if config.loss.masked_loss else found)
        except UserError as error:
            errors.append(error)
    if len(errors) > 1:
        listed = "; ".join(f"{error.what} ({error.where})" for error in errors)
        to_do = " ".join(dict.fromkeys(f"{error.to_do.rstrip('.')}." for error in errors))
        raise UserError(listed, f"{len(errors)} subsets", to_do)
    if errors:
        raise errors[0]
    return pictures


def smallest(images: Sequence[ImageFile]) -> list[ImageFile]:
    """The pictures with the fewest pixels, as many as a folder just over a row might leave out."""
    by_size = sorted(images, key=lambda image: (image.width * image.height, str(image.path)))
    return by_size[: to_leave_out(len(images))]


@dataclass(frozen=True)
class BucketUse:
    """What one bucket holds, and how much of its pictures it cuts off, 0..1."""

    bucket: Size
    pictures: int
    """Without repeats."""
    mean_cut: float
    most_cut: float
    most_of: Path
    """The picture that loses most."""


def bucket_uses(pictures: Sequence[Picture]) -> list[BucketUse]:
    """Every bucket that has a picture, by width."""
    groups: dict[Size, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(picture.fit.bucket, []).append(picture)
    uses = []
    for bucket, group in sorted(groups.items()):
        worst = max(group, key=lambda picture: picture.fit.cut_off)
        mean = sum(picture.fit.cut_off for picture in group) / len(group)
        uses.append(BucketUse(bucket, len(group), mean, worst.fit.cut_off, worst.image.path))
    return uses


def problems(config: TrainingConfig) -> list[str]:
    """What is wrong with the subsets' masks, in words that say what to do."""
    wrong, masks = [], [it.conditioning_data_dir for it in config.subsets]
    for number, (subset, folder) in enumerate(zip(config.subsets, masks, strict=True), 1):
        if folder and not config.loss.masked_loss:
            wrong.append(f"subset {number} has a conditioning_data_dir: set masked_loss to use it")
        if folder and not Path(folder).is_dir():
            wrong.append(f"subset {number}: conditioning_data_dir {folder} is no folder")
        if subset.keep_tokens_separator == subset.caption_separator != "":
            wrong.append(f"subset {number}: keep_tokens_separator must not be caption_separator")
        if not subset.caption_separator:
            wrong.append(f"subset {number} has an empty caption_separator: a comma is usual")
    if (
        config.loss.masked_loss
        and not any(masks)
        and not any(it.alpha_mask for it in config.subsets)
    ):
        wrong.append("masked_loss does nothing: give a subset conditioning_data_dir or alpha_mask")
    return wrong


def _with_masks(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures of one subset with their masks; UserError where some are missing or unlike.

    Masks without a picture do not matter; sd-scripts refuses them.
    """
    folder = pictures[0].subset.conditioning_data_dir
    if not folder:
        return list(pictures)
    there = {
        path.stem: path for path in sorted(Path(folder).iterdir()) if is_picture_name(path.name)
    }
    missing = [it.image.path.name for it in pictures if it.image.path.stem not in there]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(pictures)} pictures have no mask, such as {missing[0]}",
            folder, "Give each a picture of the same name there (white: learn, black: do not).",
        )  # fmt: skip
    masked = [replace(it, mask=there[it.image.path.stem]) for it in pictures]
    for picture in masked:
        _check_mask(picture.image, read_image_file(there[picture.image.path.stem]))
    return masked


def _check_mask(image: ImageFile, mask: ImageFile) -> None:
    if (mask.width, mask.height) != (image.width, image.height):
        raise UserError(
            f"A mask of {mask.width}x{mask.height} does not fit its picture of "
            f"{image.width}x{image.height}", mask.path, "Make both the same size.",
        )  # fmt: skip


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
    fits = _fits(images, subset, bucket, resolutions)
    pictures = []
    for image, fit in zip(images, fits, strict=True):
        caption = caption_of_file_text(image.caption, subset).strip() or subset.class_tokens
        pictures.append(Picture(image, subset, caption, fit))
    bare = [picture.image.path.name for picture in pictures if not picture.caption]
    if bare:
        raise UserError(
            f"{len(bare)} of {len(pictures)} pictures have no caption, such as {bare[0]}",
            subset.image_dir, "Tag them, or set class_tokens to the trigger that they all get.",
        )  # fmt: skip
    return pictures


def _fits(
    images: Sequence[ImageFile], subset: SubsetConfig, bucket: BucketConfig,
    resolutions: Sequence[Size],
) -> list[BucketFit]:  # fmt: skip
    """Each picture's bucket; one UserError names all that have none."""
    fits: list[BucketFit] = []
    unfit: list[tuple[str, UserError]] = []
    for image in images:
        try:
            fits.append(bucket_for((image.width, image.height), bucket, resolutions))
        except UserError as error:
            unfit.append((f"{image.path.name} ({error.where})", error))
    if unfit:
        listed = ", ".join(name for name, _ in unfit)
        raise UserError(f"{unfit[0][1].what}: {listed}", subset.image_dir, unfit[0][1].to_do)
    return fits


def tag_frequency(pictures: Sequence[Picture]) -> dict[str, dict[str, int]]:
    """{folder: {tag: count}}, lower case and without repeats, as `ss_tag_frequency` counts."""
    counts: dict[str, Counter[str]] = {}
    for picture in pictures:
        folder = Path(picture.subset.image_dir).name
        tags = [tag.lower() for tag in split_tags(picture.caption)]
        counts.setdefault(folder, Counter()).update(tags)
    return {folder: dict(counter) for folder, counter in counts.items()}

"""Where pictures and captions come from, and at which sizes they are trained."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import setting


@dataclass(frozen=True, kw_only=True)
class SubsetConfig:
    """One folder of pictures and what is done to its captions."""

    image_dir: str = setting("", "The folder of pictures; 3_name means 3 repeats")
    num_repeats: int | None = setting(
        None, "How often each picture comes in an epoch; from the folder's name if left out", low=1
    )
    class_tokens: str = setting("", "The caption of a picture that has none (the trigger)")
    caption_extension: str = setting(".txt", "The ending of caption files")
    is_reg: bool = setting(False, "Regularisation pictures: weighed by prior_loss_weight")
    keep_tokens: int = setting(
        0, "The first N tags stay where they are when tags are shuffled", low=0
    )
    keep_tokens_separator: str = setting("", "Tags before this mark stay where they are")
    shuffle_caption: bool = setting(False, "Shuffle the tags at each use")
    caption_prefix: str = setting("", "Put before every caption")
    caption_suffix: str = setting("", "Put behind every caption")
    caption_dropout_rate: float = setting(
        0.0, "How often a caption is left out whole", low=0, high=1
    )
    caption_dropout_every_n_epochs: int = setting(0, "Leave captions out in every Nth epoch", low=0)
    caption_tag_dropout_rate: float = setting(0.0, "How often each tag is left out", low=0, high=1)
    enable_wildcard: bool = setting(
        False, "Choose one of {a|b} and one line of a caption of several lines at each use"
    )
    secondary_separator: str = setting("", "Joins tags that move together when tags are shuffled")
    caption_separator: str = setting(",", "What stands between two tags")
    token_warmup_min: int = setting(1, "Tags that a caption has at the first step", low=0)
    token_warmup_step: float = setting(
        0.0, "Steps until captions have all their tags; below 1, a share of the run", low=0
    )
    flip_aug: bool = setting(False, "Mirror half of the pictures; not for asymmetric characters")
    random_crop: bool = setting(
        False, "Cut the bucket out of another place at each use, not out of the middle"
    )
    alpha_mask: bool = setting(False, "Learn less where the picture is transparent")
    conditioning_data_dir: str = setting(
        "", "A folder of masks named like the pictures (white: learn), used with masked_loss"
    )


@dataclass(frozen=True, kw_only=True)
class BucketConfig:
    """The sizes in pixels at which pictures are trained."""

    resolution: tuple[int, int] = setting(
        (512, 512), "Width and height of the pixel budget; one number for a square"
    )
    enable_bucket: bool = setting(True, "Train each picture near its own aspect ratio")
    min_bucket_reso: int | None = setting(
        None, "The shortest side of a bucket (256, or less where the resolution is)", low=8
    )
    max_bucket_reso: int | None = setting(
        None, "The longest side of a bucket (1024, or more where the resolution is)", low=8
    )
    bucket_reso_steps: int = setting(64, "Bucket sides are multiples of this", low=8)
    bucket_no_upscale: bool = setting(False, "Never enlarge a picture to reach a bucket")


REFUSED = {
    "color_aug": "pictures are encoded once, and it would change their colours at each use",
    "face_crop_aug_range": "crop to the face with `lora-cook crop`, or use random_crop",
    "resize_interpolation": "pictures are resized as kohya does by default",
}
"""kohya's settings for pictures that are not here, and why."""

"""What is wrong with the pixels."""

from __future__ import annotations

from ...config import BucketConfig
from .. import changes as plans
from ..changes import Box
from ..images import ImageFile
from ..look import Finding, Look
from ..quality import JPEG_QUALITY, SHARP
from .finding import by_reason, finding

_CUT = 0.15
"""A larger share of a picture outside its bucket is worth a word; steps of 64 pixels at 512 cost
aspects up to 3 at most 0.14."""
_LONG = 3.0
"""Longer pictures find a bucket, but one so narrow that little of them can be learnt."""


def transparency(look: Look) -> list[Finding]:
    """Pictures that can be seen through, which trainers turn black or drop."""
    images = [image for image in look.images if image.has_alpha and _clear(look, image)]
    made = plans.plan_flatten(images, taken=look.taken) if images else []
    why = "transparent: trainers show what is hidden under it, or black"
    return finding("transparency", images, why, "onto white", made)


def _clear(look: Look, image: ImageFile) -> bool:
    """Whether any pixel can be seen through; so it is said where the pixels were not measured."""
    quality = look.qualities.get(image.path)
    return quality is None or quality.clear


def too_small(look: Look) -> list[Finding]:
    """Pictures that would be enlarged blindly."""
    images = [image for image in look.images if min(image.width, image.height) < look.below]
    made = plans.plan_small(images, look.below, taken=look.taken) if images else []
    why = f"a side is under {look.below} pixels"
    return finding("too_small", images, why, "set aside into small", made)


def extreme_aspect(look: Look) -> list[Finding]:
    """Pictures of which a bucket would cut a good part, or that are very long, at the default."""
    config = BucketConfig()
    images = [(image, why) for image in look.images if (why := _aspect_fault(image, config))]
    return _aside(look, "extreme_aspect", images)


def _aspect_fault(image: ImageFile, config: BucketConfig) -> str:
    size = (image.width, image.height)
    cut, long = cut_by_bucket(size, config), max(size) / min(size)
    if cut <= _CUT and long <= _LONG:
        return ""
    lost = f"its bucket would cut {cut:.0%} away" if cut > _CUT else f"{long:.1f} times as long"
    return f"{image.width}x{image.height}: {lost}; crop it"


def cut_by_bucket(size: tuple[int, int], config: BucketConfig) -> float:
    """The share of a picture that lies outside the bucket nearest to its aspect ratio."""
    aspect, nearest = size[0] / size[1], _bucket_aspect(size, config)
    return 1 - min(aspect, nearest) / max(aspect, nearest)


def kept_by_bucket(size: tuple[int, int], config: BucketConfig) -> Box:
    """The box in the middle of a picture that its bucket keeps; to be drawn, or cropped to."""
    (width, height), aspect = size, _bucket_aspect(size, config)
    wide = min(width, round(height * aspect))
    high = min(height, round(width / aspect))
    left, top = (width - wide) // 2, (height - high) // 2
    return (left, top, left + wide, top + high)


def _bucket_aspect(size: tuple[int, int], config: BucketConfig) -> float:
    """Width / height of the bucket nearest to a picture's."""
    steps, (width, height) = config.bucket_reso_steps, config.resolution
    shortest = config.min_bucket_reso or min(256, width, height)
    longest = config.max_bucket_reso or max(1024, width, height)
    aspects: list[float] = []
    for side in range(shortest, longest + 1, steps):
        other = min(longest, width * height // side // steps * steps)
        if other >= shortest:
            aspects += [side / other, other / side]
    aspect = size[0] / size[1]
    return min(aspects, key=lambda it: abs(it - aspect))


def blurred(look: Look) -> list[Finding]:
    """Pictures that are soft even at the size they are trained at."""
    images = [
        (image, f"soft: sharpness {quality.sharpness:.0f}, under {SHARP:.0f}")
        for image in look.images
        if (quality := look.qualities.get(image.path)) and quality.blurred
    ]
    return _aside(look, "blurred", images)


def compressed(look: Look) -> list[Finding]:
    """Pictures with the marks of heavy compression."""
    images = [
        (
            image,
            f"saved as JPEG at quality {quality.jpeg}, under {JPEG_QUALITY}"
            if quality.jpeg
            else "its pixels show the blocks of a JPEG",
        )
        for image in look.images
        if (quality := look.qualities.get(image.path)) and quality.compressed
    ]
    return _aside(look, "compressed", images)


def _aside(look: Look, name: str, images: list[tuple[ImageFile, str]]) -> list[Finding]:
    made = plans.plan_aside(images, name, look.taken) if images else []
    reasons = [(image.path, why) for image, why in images]
    return by_reason(name, reasons, f"set aside into {name}", made)

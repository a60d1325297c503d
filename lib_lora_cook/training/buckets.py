"""Aspect-ratio buckets: at which size a picture is trained and what is cut off.

Sizes are (width, height) in pixels. The choice is sd-scripts' (`BucketManager`), number for number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import BucketConfig, out_of_bounds
from ..errors import UserError

Size = tuple[int, int]
Box = tuple[int, int, int, int]
LATENT = 8
"""Pixels to a side of a latent pixel."""


@dataclass(frozen=True)
class BucketFit:
    """How one picture comes into its bucket; sizes and boxes in pixels.

    `crop_ltrb` is what SDXL is told, not what is cut: sd-scripts computes it as if the picture were
    fitted inside the bucket, and files trained with it expect that. `crop_box` is what is cut.
    """

    bucket: Size
    resized: Size
    crop_ltrb: Box

    @property
    def crop_box(self) -> Box:
        """(left, top, right, bottom) in the resized picture; an odd pixel is cut right or below."""
        width, height = self.bucket
        left, top = (self.resized[0] - width) // 2, (self.resized[1] - height) // 2
        return left, top, left + width, top + height

    @property
    def whole_box(self) -> Box:
        """(left, top, right, bottom) of all of the resized picture in whole latent pixels."""
        width, height = self.resized
        return 0, 0, _floor(width, LATENT), _floor(height, LATENT)

    def kept_box(self, size: Size) -> Box:
        """(left, top, right, bottom) of what is trained, in a picture of this size before it is
        resized; the rest is cut off."""
        across, down = size[0] / self.resized[0], size[1] / self.resized[1]
        left, top, right, bottom = self.crop_box
        return (
            _round(left * across),
            _round(top * down),
            _round(right * across),
            _round(bottom * down),
        )

    @property
    def cut_off(self) -> float:
        """The share of the picture that its bucket cuts off, 0..1."""
        return 1 - math.prod(self.bucket) / math.prod(self.resized)

    def crop_left_top(self, flipped: bool) -> tuple[int, int]:
        """(left, top) for SDXL's crop embedding; a mirrored picture counts from its other side."""
        left, top, right, _ = self.crop_ltrb
        return (self.bucket[0] - right if flipped else left), top


def side_limits(config: BucketConfig) -> tuple[int, int]:
    """(shortest, longest) side of a bucket, both multiples of bucket_reso_steps and not 0."""
    steps = config.bucket_reso_steps
    shortest, longest = config.min_bucket_reso, config.max_bucket_reso
    if shortest is None:
        shortest = min(256, min(config.resolution))
    if longest is None:
        longest = max(1024, max(config.resolution))
    return max(steps, _floor(shortest, steps)), _floor(longest + steps - 1, steps)


def bucket_resolutions(config: BucketConfig) -> list[Size]:
    """Every bucket, by width; none under bucket_no_upscale, where pictures make their own."""
    if not config.enable_bucket:
        return [config.resolution]
    if config.bucket_no_upscale:
        return []
    steps, (shortest, longest) = config.bucket_reso_steps, side_limits(config)
    area = config.resolution[0] * config.resolution[1]
    square = _floor(math.isqrt(area), steps)
    sizes = {(square, square)} if square else set()
    for width in range(shortest, longest + 1, steps):
        height = min(longest, _floor(area // width, steps))
        if height >= shortest:
            sizes |= {(width, height), (height, width)}
    return sorted(sizes)


def bucket_for(
    size: Size, config: BucketConfig, resolutions: Sequence[Size] | None = None
) -> BucketFit:
    """The bucket of a picture of this size in pixels; UserError where none can hold it.

    `resolutions` saves time when many pictures are asked for: pass `bucket_resolutions(config)`.
    """
    if min(size) < 1:
        raise UserError("A picture without pixels has no bucket", _named(size), "Leave it out")
    if config.bucket_no_upscale and config.enable_bucket:
        resized = _shrunk(size, config)
        bucket = (
            _floor(resized[0], config.bucket_reso_steps),
            _floor(resized[1], config.bucket_reso_steps),
        )
    else:
        bucket = _nearest(size, resolutions or bucket_resolutions(config))
        resized = _covering(size, bucket)
    if not min(bucket):
        raise UserError(
            "A picture is too small or too thin for any bucket",
            _named(size),
            "Leave it out, lower bucket_reso_steps, or turn bucket_no_upscale off",
        )
    return BucketFit(bucket, resized, _told_crop(size, bucket))


def problems(config: BucketConfig) -> list[str]:
    """What is wrong with these sizes, each in words that say what to do; empty when all is well."""
    wrong, resolution = out_of_bounds(config), _named(config.resolution)
    if wrong or min(config.resolution) < 8:
        return wrong or [f"resolution is {resolution}: give 8 or more"]
    steps, (short, long) = config.bucket_reso_steps, sorted(config.resolution)
    if not config.enable_bucket:
        if any(side % 8 for side in config.resolution):
            wrong.append(f"resolution is {resolution}: without enable_bucket, give multiples of 8")
        return wrong
    if steps % 8:
        wrong.append(f"bucket_reso_steps is {steps}: give a multiple of 8 (64 is usual)")
    if config.bucket_no_upscale:  # As in sd-scripts, the limits then do not count.
        return wrong + _too_small(config)
    for name, value in (("min", config.min_bucket_reso), ("max", config.max_bucket_reso)):
        if value is not None and value < steps:
            wrong.append(f"{name}_bucket_reso is {value}: give bucket_reso_steps ({steps}) or more")
    shortest, longest = side_limits(config)
    if config.min_bucket_reso is not None and short < shortest:
        wrong.append(
            f"min_bucket_reso is {config.min_bucket_reso}, above the resolution {resolution}: "
            f"lower it to {_floor(short, steps) or steps}, or raise the resolution"
        )
    if config.max_bucket_reso is not None and long > longest:
        wrong.append(
            f"max_bucket_reso is {config.max_bucket_reso}, below the resolution {resolution}: "
            f"raise it to {_floor(long + steps - 1, steps)}, or lower the resolution"
        )
    return wrong or _too_small(config)


def _too_small(config: BucketConfig) -> list[str]:
    """One line if the pixel budget holds not even a square of one step."""
    steps = config.bucket_reso_steps
    if _floor(math.isqrt(config.resolution[0] * config.resolution[1]), steps):
        return []
    return [
        f"no bucket fits: resolution {_named(config.resolution)} is too small for "
        f"bucket_reso_steps {steps}; raise the resolution to {steps} or lower the steps"
    ]


def _nearest(size: Size, resolutions: Sequence[Size]) -> Size:
    """The bucket of exactly this size, else the first with the nearest width / height."""
    if size in resolutions:
        return size
    aspect = size[0] / size[1]
    return min(resolutions, key=lambda bucket: abs(bucket[0] / bucket[1] - aspect), default=(0, 0))


def _covering(size: Size, bucket: Size) -> Size:
    """The picture's size once scaled to just cover the bucket."""
    if not min(bucket):
        return bucket
    wider = size[0] / size[1] > bucket[0] / bucket[1]
    scale = bucket[1] / size[1] if wider else bucket[0] / size[0]
    return _round(size[0] * scale), _round(size[1] * scale)


def _shrunk(size: Size, config: BucketConfig) -> Size:
    """The picture's size within the pixel budget, one side in whole steps; never enlarged."""
    steps, area = config.bucket_reso_steps, config.resolution[0] * config.resolution[1]
    if size[0] * size[1] <= area:
        return size
    aspect = size[0] / size[1]
    fitted = math.sqrt(area * aspect)
    width = _floor(_round(fitted), steps)
    height = _floor(_round(area / fitted), steps)
    if not (width and height):
        return width, height
    # Of the two sides, the one whose rounding bends the aspect ratio less is rounded. At extreme
    # ratios the other side rounds to nothing, which sd-scripts divides by.
    beside_width = _floor(_round(width / aspect), steps)
    beside_height = _floor(_round(height * aspect), steps)
    bent_by_width = abs(width / beside_width - aspect) if beside_width else math.inf
    if bent_by_width < abs(beside_height / height - aspect):
        return width, _round(width / aspect)
    return _round(height * aspect), height


def _told_crop(size: Size, bucket: Size) -> Box:
    """sd-scripts' `get_crop_ltrb`: the picture fitted inside the bucket, not covering it."""
    aspect = size[0] / size[1]
    width, height = float(bucket[0]), float(bucket[1])
    if bucket[0] / bucket[1] > aspect:
        width = bucket[1] * aspect
    else:
        height = bucket[0] / aspect
    left, top = (bucket[0] - width) // 2, (bucket[1] - height) // 2
    return int(left), int(top), int(left + width), int(top + height)


def _floor(value: int, steps: int) -> int:
    return value - value % steps


def _round(value: float) -> int:
    """To the nearest, halves up, as sd-scripts rounds pixels."""
    return int(value + 0.5)


def _named(size: Size) -> str:
    return f"{size[0]}x{size[1]}"

"""Buckets: sd-scripts' choices to the pixel, and what must hold for any picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_lora_cook.config import BucketConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.training.buckets import (
    bucket_for,
    bucket_resolutions,
    problems,
    side_limits,
)

unhurried = settings(deadline=None)
"""A busy machine is no failure."""

FOLDER = Path(__file__).parent
GOLDEN = json.loads((FOLDER / "golden.json").read_text())["buckets"]
CASES = GOLDEN + json.loads((FOLDER / "variations.json").read_text())["buckets"]


def golden_config(case: dict[str, Any]) -> BucketConfig:
    return BucketConfig(
        resolution=tuple(case["max_reso"]),
        min_bucket_reso=case["min_bucket_reso"],
        max_bucket_reso=case["max_bucket_reso"],
        bucket_reso_steps=case["bucket_reso_steps"],
        bucket_no_upscale=case["bucket_no_upscale"],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["max_reso"]))
def test_resolutions_are_those_of_sd_scripts(case: dict[str, Any]) -> None:
    assert bucket_resolutions(golden_config(case)) == [tuple(it) for it in case["resolutions"]]


@pytest.mark.parametrize(
    ("case", "row"), [(case, row) for case in CASES for row in case["rows"]], ids=str
)
def test_fit_is_that_of_sd_scripts(case: dict[str, Any], row: list[list[int]]) -> None:
    size, bucket, resized, crop = (tuple(it) for it in row)
    fit = bucket_for(size, golden_config(case))  # type: ignore[arg-type]
    assert (fit.bucket, fit.resized, fit.crop_ltrb) == (bucket, resized, crop)


def test_all_280_rows_are_there() -> None:
    assert sum(len(case["rows"]) for case in GOLDEN) == 280
    assert not any(problems(golden_config(case)) for case in CASES)


@st.composite
def configs(draw: st.DrawFn, no_upscale: bool = False) -> BucketConfig:
    steps = draw(st.sampled_from([8, 32, 64]))
    side = st.integers(1, 1536 // steps).map(lambda count: count * steps)
    return BucketConfig(
        resolution=draw(st.tuples(side, side)),
        bucket_reso_steps=steps,
        bucket_no_upscale=no_upscale,
    )


sizes = st.tuples(st.integers(1, 6000), st.integers(1, 6000))


@unhurried
@given(configs(), sizes)
def test_a_picture_covers_its_bucket(config: BucketConfig, size: tuple[int, int]) -> None:
    assert problems(config) == []
    fit = bucket_for(size, config)
    width, height = fit.bucket
    assert width * height <= config.resolution[0] * config.resolution[1]
    assert width % config.bucket_reso_steps == height % config.bucket_reso_steps == 0
    assert fit.resized[0] >= width and fit.resized[1] >= height
    assert fit.resized[0] == width or fit.resized[1] == height
    assert bucket_for(fit.bucket, config).bucket == fit.bucket


@unhurried
@given(configs(), sizes)
def test_the_crop_is_inside_and_in_the_middle(config: BucketConfig, size: tuple[int, int]) -> None:
    fit = bucket_for(size, config)
    left, top, right, bottom = fit.crop_box
    assert (right - left, bottom - top) == fit.bucket
    # The odd pixel, if there is one, goes right and below.
    assert fit.resized[0] - right - left in (0, 1)
    assert fit.resized[1] - bottom - top in (0, 1)


@unhurried
@given(configs(no_upscale=True), sizes)
def test_no_upscale_never_enlarges(config: BucketConfig, size: tuple[int, int]) -> None:
    try:
        fit = bucket_for(size, config)
    except UserError as error:
        assert "too small or too thin" in str(error)
        return
    assert fit.resized[0] <= size[0] and fit.resized[1] <= size[1]
    assert all(have - want >= 0 for have, want in zip(fit.resized, fit.bucket, strict=True))
    assert all(side % config.bucket_reso_steps == 0 for side in fit.bucket)


@unhurried
@given(configs(), sizes)
def test_given_resolutions_change_nothing(config: BucketConfig, size: tuple[int, int]) -> None:
    assert bucket_for(size, config, bucket_resolutions(config)) == bucket_for(size, config)


def test_told_crop_counts_from_the_other_side_when_mirrored() -> None:
    fit = bucket_for((1796, 1972), BucketConfig())
    assert fit.crop_ltrb == (22, 0, 488, 512)
    assert fit.crop_left_top(flipped=False) == (22, 0)
    assert fit.crop_left_top(flipped=True) == (512 - 488, 0)


def test_the_example_whose_told_crop_is_not_the_real_one() -> None:
    fit = bucket_for((300, 451), BucketConfig(resolution=(256, 256), min_bucket_reso=128))
    assert (fit.bucket, fit.resized) == ((192, 320), (213, 320))
    assert fit.crop_box == (10, 0, 202, 320)
    assert fit.crop_ltrb[:2] == (0, 15)


@pytest.mark.parametrize(
    ("resolution", "steps", "expected"),
    [
        ((512, 512), 64, (256, 1024)),
        ((128, 128), 64, (128, 1024)),
        ((200, 300), 64, (192, 1024)),
        ((1024, 1024), 64, (256, 1024)),
        ((1536, 1000), 64, (256, 1536)),
        ((1100, 1100), 64, (256, 1152)),
        ((64, 64), 8, (64, 1024)),
    ],
)
def test_limits_follow_the_resolution(
    resolution: tuple[int, int], steps: int, expected: tuple[int, int]
) -> None:
    config = BucketConfig(resolution=resolution, bucket_reso_steps=steps)
    assert side_limits(config) == expected
    assert problems(config) == []


def test_explicit_limits_are_rounded_outwards_as_in_sd_scripts() -> None:
    config = BucketConfig(min_bucket_reso=300, max_bucket_reso=1000)
    assert side_limits(config) == (256, 1024)
    assert problems(config) == []


def test_without_buckets_every_picture_gets_the_resolution() -> None:
    config = BucketConfig(enable_bucket=False, resolution=(512, 768), bucket_no_upscale=True)
    assert bucket_resolutions(config) == [(512, 768)]
    assert bucket_for((100, 100), config).bucket == (512, 768)
    assert bucket_for((100, 100), config).resized == (768, 768)
    assert bucket_for((100, 100), config).crop_box == (128, 0, 640, 768)
    assert problems(config) == []


@pytest.mark.parametrize("size", [(20, 10000), (10000, 20), (63, 500), (1, 1)])
def test_a_picture_without_a_bucket_is_named(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=f"{size[0]}x{size[1]}"):
        bucket_for(size, BucketConfig(bucket_no_upscale=True))


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(UserError, match="0x5"):
        bucket_for((0, 5), BucketConfig())


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (BucketConfig(resolution=(32, 32)), ["no bucket fits", "raise the resolution to 64"]),
        (BucketConfig(resolution=(32, 32), bucket_no_upscale=True), ["no bucket fits"]),
        (BucketConfig(resolution=(0, 512)), ["resolution is 0x512"]),
        (BucketConfig(min_bucket_reso=576), ["min_bucket_reso is 576", "lower it to 512"]),
        (
            BucketConfig(resolution=(768, 1280), max_bucket_reso=1024),
            ["max_bucket_reso is 1024", "raise it to 1280"],
        ),
        (BucketConfig(min_bucket_reso=32), ["min_bucket_reso is 32"]),
        (BucketConfig(bucket_reso_steps=0), ["bucket_reso_steps is 0: give 8 or more"]),
        (BucketConfig(bucket_reso_steps=-64), ["bucket_reso_steps is -64"]),
        (BucketConfig(bucket_reso_steps=20), ["bucket_reso_steps is 20", "multiple of 8"]),
        (BucketConfig(enable_bucket=False, resolution=(500, 512)), ["multiples of 8"]),
    ],
)
def test_problems_say_what_to_do(config: BucketConfig, says: list[str]) -> None:
    found = "\n".join(problems(config))
    assert all(part in found for part in says), found


def test_all_problems_come_at_once() -> None:
    config = BucketConfig(min_bucket_reso=1024, max_bucket_reso=256, bucket_reso_steps=12)
    assert len(problems(config)) == 3


@unhurried
@given(configs(), sizes)
def test_what_a_bucket_keeps_lies_in_the_picture_and_the_rest_is_its_share(
    config: BucketConfig, size: tuple[int, int]
) -> None:
    fit = bucket_for(size, config)
    left, top, right, bottom = fit.kept_box(size)
    assert 0 <= left <= right <= size[0] and 0 <= top <= bottom <= size[1]
    assert 0 <= fit.cut_off < 1
    across, down = (fit.bucket[axis] / fit.resized[axis] for axis in (0, 1))
    assert abs((right - left) - across * size[0]) <= 1 and abs((bottom - top) - down * size[1]) <= 1


def test_what_is_cut_off_in_the_picture_s_own_pixels() -> None:
    fit = bucket_for((300, 451), BucketConfig(resolution=(256, 256), min_bucket_reso=128))
    assert (fit.bucket, fit.resized) == ((192, 320), (213, 320))
    assert fit.kept_box((300, 451)) == (14, 0, 285, 451)
    assert fit.cut_off == pytest.approx(1 - 192 / 213)

"""Pixels as they are trained, and masks beside them, against sd-scripts' rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lib_lora_cook.config import BucketConfig, LossConfig, SubsetConfig, TrainingConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.training.pictures import Picture, read_pictures
from lib_lora_cook.training.pixels import encoded_box, read_mask, read_pixels

BUCKETS = BucketConfig(resolution=(64, 64), bucket_reso_steps=32, min_bucket_reso=32)


def one(folder: Path, image: Image.Image, subset: Any = None, **options: Any) -> Picture:
    folder.mkdir(exist_ok=True)
    image.save(folder / "a.png", **options)
    asked = SubsetConfig(image_dir=str(folder), class_tokens="kafka", **(subset or {}))
    masked = LossConfig(masked_loss=bool(asked.conditioning_data_dir))
    return read_pictures(TrainingConfig(subsets=(asked,), bucket=BUCKETS, loss=masked))[0]


def noise(width: int, height: int, channels: int = 3) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, channels), dtype=np.uint8))


def test_pixels_are_the_bucket_s_size_in_minus_1_to_1(tmp_path: Path) -> None:
    left = Image.new("RGB", (64, 64), (0, 127, 255))
    pixels = read_pixels(one(tmp_path / "a", left))
    assert pixels.shape == (3, 64, 64)
    assert pixels.dtype == torch.float32
    assert pixels[:, 3, 5].tolist() == pytest.approx([-1, -1 / 255, 1])


def test_transparency_is_seen_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert (read_pixels(one(tmp_path / "a", clear)) == 1).all()
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([9, 9, 9] + [0] * 765)
    assert (read_pixels(one(tmp_path / "b", palette, transparency=0)) == 1).all()


def test_a_mirrored_picture_is_mirrored_behind_the_crop(tmp_path: Path) -> None:
    picture = one(tmp_path / "a", noise(100, 64))
    assert torch.equal(read_pixels(picture, mirrored=True), read_pixels(picture).flip(-1))


def test_a_picture_is_turned_upright_before_it_is_fitted(tmp_path: Path) -> None:
    image = Image.new("RGB", (96, 64), "black")
    image.paste("white", (0, 0, 8, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = one(tmp_path / "a", image, exif=exif)
    assert picture.fit.bucket == (32, 96)
    pixels = read_pixels(picture)
    assert pixels.shape == (3, 96, 32)
    assert (pixels[:, 1] == 1).all() and (pixels[:, -1] == -1).all()


def test_a_picture_that_breaks_off_is_an_error_with_its_name(tmp_path: Path) -> None:
    picture = one(tmp_path / "a", noise(64, 64))
    data = picture.image.path.read_bytes()
    picture.image.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="a.png"):
        read_pixels(picture)


def test_a_random_crop_encodes_the_whole_resized_picture_in_latent_pixels(tmp_path: Path) -> None:
    picture = one(tmp_path / "a", noise(107, 64), {"random_crop": True})
    assert picture.fit.bucket == (64, 64) and picture.fit.resized == (107, 64)
    assert encoded_box(picture) == (0, 0, 104, 64)
    pixels = read_pixels(picture)
    assert pixels.shape == (3, 64, 104)
    centred = read_pixels(one(tmp_path / "a", noise(107, 64)))
    left = picture.fit.crop_box[0]
    assert torch.equal(pixels[..., left : left + 64], centred)


def half_clear(width: int = 64, height: int = 64) -> Image.Image:
    """Red all over; the upper half opaque, the lower transparent but for a quarter."""
    image = Image.new("RGBA", (width, height), (255, 0, 0, 255))
    image.paste((255, 0, 0, 0), (0, height // 2, width, height))
    return image


def test_alpha_is_the_mask_and_the_colours_below_it_are_seen(tmp_path: Path) -> None:
    picture = one(tmp_path / "a", half_clear(), {"alpha_mask": True})
    mask = read_mask(picture)
    assert mask is not None and mask.shape == (8, 8)
    assert (mask[:4] == 1).all() and (mask[4:] == 0).all()
    assert (read_pixels(picture)[0] == 1).all() and (read_pixels(picture)[1:] == -1).all()
    assert read_mask(one(tmp_path / "a", half_clear())) is None


def test_a_picture_without_alpha_counts_whole(tmp_path: Path) -> None:
    mask = read_mask(one(tmp_path / "a", noise(64, 64), {"alpha_mask": True}))
    assert mask is not None and (mask == 1).all()


def test_a_mask_is_the_area_s_mean_as_sd_scripts_shrinks_it(tmp_path: Path) -> None:
    picture = one(tmp_path / "a", noise(64, 64, 4), {"alpha_mask": True})
    alpha = torch.from_numpy(np.asarray(Image.open(picture.image.path))[..., 3].copy()).float()
    expected = torch.nn.functional.interpolate(alpha[None, None] / 255, size=(8, 8), mode="area")
    torch.testing.assert_close(read_mask(picture), expected[0, 0])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("random_crop", [False, True])
def test_a_mask_goes_the_way_of_its_picture(
    tmp_path: Path, mirrored: bool, random_crop: bool
) -> None:
    """The picture is its own mask: wherever it is light, the mask must be."""
    blocks = noise(26, 16).convert("L").convert("RGB").resize((208, 128), Image.Resampling.NEAREST)
    (tmp_path / "masks").mkdir()
    blocks.save(tmp_path / "masks" / "a.png")
    subset = {"conditioning_data_dir": str(tmp_path / "masks"), "random_crop": random_crop}
    picture = one(tmp_path / "a", blocks, subset)
    pixels = read_pixels(picture, mirrored=mirrored)[:1]
    mask = read_mask(picture, mirrored=mirrored)
    assert mask is not None
    torch.testing.assert_close(mask, torch.nn.functional.avg_pool2d(pixels, 8)[0] / 2 + 0.5)


def test_a_mask_picture_comes_before_the_alpha_and_only_its_red_counts(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.new("RGB", (64, 64), (51, 255, 255)).save(tmp_path / "masks" / "a.webp", lossless=True)
    subset = {"conditioning_data_dir": str(tmp_path / "masks"), "alpha_mask": True}
    mask = read_mask(one(tmp_path / "a", half_clear(), subset))
    assert mask is not None
    torch.testing.assert_close(mask, torch.full((8, 8), 0.2))

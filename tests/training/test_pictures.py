"""The pictures of a run: captions, buckets, pixels, and those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lib_lora_cook.config import BucketConfig, SubsetConfig, TrainingConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.models.trainable import PictureSize
from lib_lora_cook.training.pictures import (
    Picture,
    read_pictures,
    read_pixels,
    tag_frequency,
    with_repeats,
)
from tests.tiny_runs import write_pictures


def run(folder: Path, resolution: tuple[int, int] = (64, 64), **subset: object) -> TrainingConfig:
    subsets = (SubsetConfig(image_dir=str(folder), **subset),)  # type: ignore[arg-type]
    bucket = BucketConfig(resolution=resolution, bucket_reso_steps=32, min_bucket_reso=32)
    return TrainingConfig(subsets=subsets, bucket=bucket)


def one(folder: Path, image: Image.Image, **options: object) -> Picture:
    folder.mkdir(exist_ok=True)
    image.save(folder / "a.png", **options)
    return read_pictures(run(folder, class_tokens="kafka"))[0]


def test_every_picture_comes_with_its_caption_and_its_bucket(tmp_path: Path) -> None:
    pictures = read_pictures(run(write_pictures(tmp_path)))
    assert [it.image.path.name for it in pictures] == [f"{index}.png" for index in range(5)]
    assert pictures[1].caption == "star, red hair, solo, b"
    assert [it.fit.bucket for it in pictures] == [
        (64, 64), (96, 32), (64, 64), (32, 96), (64, 64),
    ]  # fmt: skip


def test_several_folders_keep_their_order_and_their_repeats(tmp_path: Path) -> None:
    folders = [write_pictures(tmp_path / name, 2) for name in ("3_kafka", "reg")]
    subsets = (
        SubsetConfig(image_dir=str(folders[0])),
        SubsetConfig(image_dir=str(folders[1]), num_repeats=5),
    )
    config = TrainingConfig(subsets=subsets)
    assert [it.subset.num_repeats for it in read_pictures(config)] == [3, 3, 5, 5]


@pytest.mark.parametrize(
    ("name", "given", "repeats", "trigger"),
    [
        ("3_kafka", {}, 3, "kafka"),
        ("3_kafka", {"num_repeats": 7, "class_tokens": "star"}, 7, "star"),
        ("kafka", {}, 1, ""),
        ("12_a_b", {}, 12, "a_b"),
    ],
)
def test_a_folder_s_name_gives_repeats_and_trigger(
    name: str, given: dict[str, object], repeats: int, trigger: str
) -> None:
    subset = with_repeats(SubsetConfig(image_dir=f"/x/{name}", **given))  # type: ignore[arg-type]
    assert (subset.num_repeats, subset.class_tokens) == (repeats, trigger)


def test_a_picture_without_caption_is_named_with_its_folder(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    (tmp_path / "2.txt").write_text("  \n")
    (tmp_path / "3.txt").unlink()
    with pytest.raises(UserError, match="2 of 5 pictures have no caption, such as 2.png") as caught:
        read_pictures(run(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_a_trigger_stands_in_for_captions_that_are_missing(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    (tmp_path / "1.txt").unlink()
    pictures = read_pictures(run(tmp_path, class_tokens="kafka"))
    assert [it.caption for it in pictures] == ["star, red hair, solo, a", "kafka"]


def test_all_pictures_that_cannot_be_read_are_named_in_one_error(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "3.png").write_bytes(b"")
    with pytest.raises(UserError, match="1.png .*3.png") as caught:
        read_pictures(run(tmp_path))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_pictures_is_an_error(tmp_path: Path, make: bool) -> None:
    folder = tmp_path / "none"
    if make:
        folder.mkdir()
        (folder / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match=str(folder)):
        read_pictures(run(folder))


def test_a_picture_that_fits_no_bucket_is_named(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    Image.new("RGB", (400, 3)).save(tmp_path / "0.png")
    config = TrainingConfig(
        subsets=(SubsetConfig(image_dir=str(tmp_path)),),
        bucket=BucketConfig(bucket_no_upscale=True),
    )
    with pytest.raises(UserError, match="400x3.*0.png"):
        read_pictures(config)


def test_tags_are_counted_by_folder_in_lower_case_without_repeats(tmp_path: Path) -> None:
    first = write_pictures(tmp_path / "3_kafka", 2, "Red Hair, solo")
    second = write_pictures(tmp_path / "reg", 1, "solo")
    subsets = tuple(SubsetConfig(image_dir=str(it)) for it in (first, second))
    assert tag_frequency(read_pictures(TrainingConfig(subsets=subsets))) == {
        "3_kafka": {"red hair": 2, "solo": 2, "a": 1, "b": 1}, "reg": {"solo": 1, "a": 1},
    }  # fmt: skip


def test_sizes_are_height_first_and_a_mirrored_crop_counts_from_the_other_side(
    tmp_path: Path,
) -> None:
    write_pictures(tmp_path, 1)
    Image.new("RGB", (300, 451)).save(tmp_path / "0.png")
    picture = read_pictures(run(tmp_path, resolution=(256, 256)))[0]
    assert picture.fit.bucket == (192, 320)
    assert picture.size() == PictureSize((451, 300), (15, 0), (320, 192))
    left, _, right, _ = picture.fit.crop_ltrb
    assert picture.size(mirrored=True).crop == (15, 192 - right)
    assert left == 0


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
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (64, 100, 3), dtype=np.uint8))
    picture = one(tmp_path / "a", noise)
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
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    picture = one(tmp_path / "a", noise)
    data = picture.image.path.read_bytes()
    picture.image.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="a.png"):
        read_pixels(picture)

"""The pictures of a run: captions, buckets, pixels, and those that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lib_lora_cook.config import BucketConfig, LossConfig, SubsetConfig, TrainingConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.models.trainable import PictureSize
from lib_lora_cook.training.pictures import (
    bucket_uses,
    problems,
    read_pictures,
    tag_frequency,
    with_repeats,
)
from tests.tiny_runs import write_pictures


def run(folder: Path, resolution: tuple[int, int] = (64, 64), **subset: object) -> TrainingConfig:
    subsets = (SubsetConfig(image_dir=str(folder), **subset),)  # type: ignore[arg-type]
    bucket = BucketConfig(resolution=resolution, bucket_reso_steps=32, min_bucket_reso=32)
    return TrainingConfig(subsets=subsets, bucket=bucket)


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
    with pytest.raises(UserError, match=r"0\.png \(400x3\)"):
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


def masked(folder: Path, masks: Path, **loss: bool) -> TrainingConfig:
    subset = SubsetConfig(image_dir=str(folder), conditioning_data_dir=str(masks))
    return TrainingConfig(subsets=(subset,), loss=LossConfig(masked_loss=True, **loss))


def test_masks_are_found_by_name_and_more_of_them_do_no_harm(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "a", 2)
    masks = write_pictures(tmp_path / "m", 3, caption="")
    found = [it.mask for it in read_pictures(masked(folder, masks))]
    assert found == [masks / "0.png", masks / "1.png"]
    unused = replace(masked(folder, masks), loss=LossConfig())
    assert [it.mask for it in read_pictures(unused)] == [None, None]


def test_pictures_without_a_mask_are_counted_and_one_is_named(tmp_path: Path) -> None:
    folder, masks = write_pictures(tmp_path / "a", 3), write_pictures(tmp_path / "m", 1)
    with pytest.raises(UserError, match="2 of 3 pictures have no mask, such as 1.png") as caught:
        read_pictures(masked(folder, masks))
    assert str(masks) in str(caught.value)


def test_a_mask_of_another_size_is_named_with_both_sizes(tmp_path: Path) -> None:
    folder, masks = write_pictures(tmp_path / "a", 1), write_pictures(tmp_path / "m", 1)
    Image.new("L", (32, 64)).save(masks / "0.png")
    with pytest.raises(UserError, match=r"32x64 .*64x64.*0\.png"):
        read_pictures(masked(folder, masks))


@pytest.mark.parametrize(
    ("subset", "loss", "says"),
    [
        ({"conditioning_data_dir": "."}, {}, "set masked_loss"),
        ({"conditioning_data_dir": "/not/there"}, {"masked_loss": True}, "is no folder"),
        ({}, {"masked_loss": True}, "masked_loss does nothing"),
        ({"caption_separator": ""}, {}, "empty caption_separator"),
        ({"keep_tokens_separator": ","}, {}, "keep_tokens_separator must not be"),
    ],
)
def test_problems_say_what_to_do(subset: dict[str, str], loss: dict[str, bool], says: str) -> None:
    subsets = (SubsetConfig(image_dir="a"), SubsetConfig(image_dir="b", **subset))
    found = problems(TrainingConfig(subsets=subsets, loss=LossConfig(**loss)))
    assert len(found) == 1 and says in found[0], found


def test_good_masks_have_no_problems() -> None:
    subsets = (SubsetConfig(alpha_mask=True), SubsetConfig())
    for on in (False, True):
        config = TrainingConfig(subsets=subsets, loss=LossConfig(masked_loss=on))
        assert problems(config) == []


def test_everything_that_is_wrong_with_the_folders_is_told_at_once(tmp_path: Path) -> None:
    thin, bare = write_pictures(tmp_path / "thin", 3), write_pictures(tmp_path / "bare", 2, "")
    for name in ("0.png", "2.png"):
        Image.new("RGB", (400, 3)).save(thin / name)
    subsets = tuple(SubsetConfig(image_dir=str(it)) for it in (thin, bare, tmp_path / "none"))
    bucket = BucketConfig(bucket_no_upscale=True, bucket_reso_steps=32)
    with pytest.raises(UserError) as caught:
        read_pictures(TrainingConfig(subsets=subsets, bucket=bucket))
    for told in ("0.png (400x3), ", "2.png (400x3)", "2 of 2 pictures have no caption", "none"):
        assert told in str(caught.value)


def test_buckets_tell_what_they_cut_off(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    Image.new("RGB", (80, 64)).save(tmp_path / "2.png")
    uses = bucket_uses(read_pictures(run(tmp_path)))
    assert [(it.bucket, it.pictures) for it in uses] == [
        ((32, 96), 1),
        ((64, 64), 3),
        ((96, 32), 1),
    ]
    square = uses[1]
    assert square.most_of.name == "2.png" and square.most_cut == pytest.approx(0.2)
    # 70x66 is resized to 68x64, and 64x64 is cut nowhere.
    assert square.mean_cut == pytest.approx((0 + 0.2 + 4 / 68) / 3)
    assert uses[0].most_cut == 0
